/** Durations as nginx's variables tell them. */

/** Milliseconds as seconds with three decimals: `1.042`. */
export function secondsText(ms: number): string {
  const whole = Math.floor(ms / 1000)
  const rest = Math.floor(ms - whole * 1000)
  return whole + (rest < 10 ? '.00' : rest < 100 ? '.0' : '.') + rest
}
