/** What a directive is for: its declaration with what docs/explained says, for `viaduct explain NAME` and for editors. */
import type { Directive } from '../../config/directive.ts'
import { suggest } from '../../config/suggest.ts'
import { modules } from '../../modules/index.ts'
import { type Explanations, pageOf, readExplanations } from '../explained.ts'
import { ToolFailure } from '../frame/tool.ts'

/** A directive of one module. */
export interface DirectiveFacts {
  readonly module: string
  readonly name: string
  readonly directive: Directive<unknown>
  /** What is written about it; undefined when the texts are not installed. */
  readonly explanation: string | undefined
  readonly page: string
}

let texts: Explanations | undefined

/** The directives with a name, one for each module that has it; empty when the word is something else, such as a host. */
export function directivesCalled(name: string): readonly DirectiveFacts[] {
  const found = modules.flatMap((module) => {
    // The modules' directives differ in the types of their values alone.
    const directive = (module.directives as Readonly<Record<string, Directive<unknown>>>)[name]
    return directive === undefined ? [] : [factsOf(module.name, name, directive)]
  })
  if (found.length > 0 || !/^[a-z0-9]+(?:_[a-z0-9]+)+$/.test(name)) return found
  // No host has a name with underscores.
  const near = suggest(name, directiveNames())
  throw new ToolFailure(`"${name}" is no directive`, near === undefined ? undefined : `did you mean "${near}"?`)
}

/** Those of all modules. */
export function allDirectives(): readonly DirectiveFacts[] {
  return directiveNames().flatMap(directivesCalled)
}

/** The names of all directives. */
export function directiveNames(): readonly string[] {
  return [...new Set(modules.flatMap(({ directives }) => Object.keys(directives)))].sort()
}

/** What is known of a declaration that somebody points at. */
export function factsAbout(name: string, directive: Directive<unknown>): DirectiveFacts | undefined {
  return directivesCalled(name).find((one) => one.directive === directive)
}

function factsOf(module: string, name: string, directive: Directive<unknown>): DirectiveFacts {
  texts ??= readExplanations(modules)
  return { module, name, directive, explanation: texts.of(module, name), page: pageOf(module, name) }
}

/** All of it as Markdown. */
export function directivePage({ name, directive, explanation, page }: DirectiveFacts): string {
  const parts = [declarationText(name, directive), ...(explanation === undefined ? [] : [explanation]), page]
  return parts.join('\n\n')
}

/** The declaration as Markdown. */
export function declarationText(
  name: string,
  { args, doc, default: standard, in: contexts, since, kind, withoutEffect }: Directive<unknown>,
): string {
  const words = `${name} ${args.syntax}`.trimEnd()
  return [
    `\`\`\`nginx\n${words}${kind === 'block' ? ' { ... }' : ';'}\n\`\`\``,
    doc,
    ...(withoutEffect === undefined ? [] : [`Has no effect: ${withoutEffect}`]),
    [
      standard === undefined ? '' : `Default: \`${standard}\`. `,
      `Context: ${contexts.join(', ')}.`,
      since === undefined ? '' : ` Since ${since}.`,
    ].join(''),
  ].join('\n\n')
}

/** The same for programs. */
export function directiveObject({ module, name, directive, explanation, page }: DirectiveFacts): object {
  const { args, doc, default: standard, in: contexts, since, kind, withoutEffect, unsupported } = directive
  const block = kind === 'block'
  return {
    name,
    module,
    syntax: args.syntax,
    block,
    default: standard,
    contexts,
    since,
    doc,
    withoutEffect,
    unsupported,
    explanation,
    page,
  }
}
