/** Arguments of a query: `start=10&end=20`. */

const EQUALS = 0x3d

/** The value of one, as it was sent; names without regard to case (ngx_http_arg), `name` in lower case. */
export function argument(args: string, name: string): string | undefined {
  if (args === '') return undefined
  for (let at = 0; at <= args.length; ) {
    let end = args.indexOf('&', at)
    if (end < 0) end = args.length
    const value = at + name.length
    if (args.charCodeAt(value) === EQUALS && value < end && args.slice(at, value).toLowerCase() === name) {
      return args.slice(value + 1, end)
    }
    at = end + 1
  }
  return undefined
}
