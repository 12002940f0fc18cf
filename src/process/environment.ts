/** `env`: variables of the environment of the process that serves, and the time zone that its threads have from it. */
import type { EnvVariable } from '../modules/core/main.ts'

/** What the configuration has set in this process, which gets back what was there before when it no longer does. */
export class Environment {
  /** Values from before; undefined: there was none. */
  readonly #before = new Map<string, string | undefined>()

  /** Sets what this configuration gives a value, instead of what another one did. */
  settle(variables: readonly EnvVariable[]): void {
    const given = new Map(variables.filter(({ value }) => value !== undefined).map(({ name, value }) => [name, value!]))
    for (const [name, value] of this.#before) {
      if (given.has(name)) continue
      this.#before.delete(name)
      assign(name, value)
    }
    for (const [name, value] of given) {
      if (!this.#before.has(name)) this.#before.set(name, process.env[name])
      assign(name, value)
    }
  }
}

let zone = process.env['TZ']

/**
 * Has this thread go by a time zone that another thread has set: each keeps what it has found out about the last one, and
 * only setting the variable, which all have in common, makes it forget.
 */
export function followTimeZone(): void {
  if (process.env['TZ'] === zone) return
  zone = process.env['TZ']
  assign('TZ', zone)
}

function assign(name: string, value: string | undefined): void {
  if (value === undefined) delete process.env[name]
  else process.env[name] = value
}
