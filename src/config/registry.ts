/** All declared directives by name, and what nginx knows beyond them. One name may be declared for several contexts. */
import type { Context, Directive, Directives } from './directive.ts'
import known from './known-directives.json' with { type: 'json' }
import type { LateRule } from './late.ts'

interface Declaring {
  readonly name: string
  readonly directives: Directives
}

const catalogue: Readonly<Record<string, readonly string[]>> = known

/** Finds declarations; built once per load from the module list. */
export class Registry {
  readonly #byName = new Map<string, Directive<unknown>[]>()

  constructor(modules: readonly Declaring[]) {
    const owners = new Map<string, string>()
    for (const module of modules) {
      for (const [name, directive] of Object.entries(module.directives)) {
        for (const context of directive.in) claim(owners, `${context} ${name}`, module.name)
        const declared = this.#byName.get(name)
        if (declared) declared.push(directive)
        else this.#byName.set(name, [directive])
      }
    }
  }

  /** The declaration that holds in a context. */
  find(name: string, context: Context): Directive<unknown> | undefined {
    return this.#byName.get(name)?.find((d) => d.in.includes(context))
  }

  /** All declarations of a name, whatever the context. */
  named(name: string): readonly Directive<unknown>[] {
    return this.#byName.get(name) ?? []
  }

  /** What may wait: more in a configuration that was checked before. */
  lateRule(checked: boolean): LateRule {
    const named = (reading: Directive<unknown>['reading']): ReadonlySet<string> =>
      new Set([...this.#byName].filter(([, all]) => all.some((d) => d.reading === reading)).map(([name]) => name))
    const lines = [...this.#byName].filter(([, all]) => all.some((d) => d.entry !== undefined)).map(([name]) => name)
    const blocks = checked ? named('late') : new Set<string>()
    return { blocks, heads: named('head'), eager: named('eager'), lines: new Set(lines) }
  }

  /** The contexts in which nginx has the directive; undefined when nginx does not know it. */
  catalogued(name: string): readonly string[] | undefined {
    return Object.hasOwn(catalogue, name) ? catalogue[name] : undefined
  }

  /** Names that may stand in a context, for suggestions. */
  namesIn(context: Context): string[] {
    return [...this.#byName].filter(([, all]) => all.some((d) => d.in.includes(context))).map(([name]) => name)
  }

  names(): string[] {
    return [...this.#byName.keys()]
  }
}

function claim(owners: Map<string, string>, key: string, module: string): void {
  const owner = owners.get(key)
  if (owner !== undefined) throw new Error(`directive "${key}" is declared by both ${owner} and ${module}`)
  owners.set(key, module)
}
