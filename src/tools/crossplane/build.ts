/** crossplane's JSON as configuration text: words get quotes where they need them. */
import type { PlainStatement } from './parse.ts'

/** Returns the text of one file. */
export function buildText(statements: readonly PlainStatement[], indent: string): string {
  return `${block(statements, indent, 0, 0).trimEnd()}\n`
}

function block(statements: readonly PlainStatement[], indent: string, depth: number, lineBefore: number): string {
  let text = ''
  let last = lineBefore
  const margin = indent.repeat(depth)
  for (const statement of statements) {
    const { directive, line = 0, comment = '' } = statement
    if (directive === '#' && line === last && line > 0) {
      text += ` #${comment}`
      continue
    }
    const built = directive === '#' ? `#${comment}` : statementText(statement, indent, depth)
    text += `${text === '' && depth === 0 ? '' : '\n'}${margin}${built}`
    last = line
  }
  return text
}

function statementText(
  { directive, args, block: inner, line = 0 }: PlainStatement,
  indent: string,
  depth: number,
): string {
  if (directive.endsWith('_by_lua_block')) return [directive, ...args.slice(0, -1), `{${args.at(-1) ?? ''}}`].join(' ')
  const words = args.map(quoted)
  const head = directive === 'if' ? `if (${words.join(' ')})` : [quoted(directive), ...words].join(' ')
  if (inner === undefined) return `${head};`
  return `${head} {${block(inner, indent, depth + 1, line)}\n${indent.repeat(depth)}}`
}

/** Quotes a word when it needs it: escapes in it are kept as they are. */
function quoted(word: string): string {
  if (!needsQuotes(word)) return word
  const quote = word.includes("'") && !word.includes('"') ? '"' : "'"
  return (
    quote +
    word.replaceAll('\n', '\\n').replaceAll('\t', '\\t').replaceAll('\r', '\\r').replaceAll(quote, `\\${quote}`) +
    quote
  )
}

function needsQuotes(word: string): boolean {
  if (word === '') return true
  if (/^(?:[\s{};"'#]|\$\{)/.test(word)) return true
  const rest = word.replaceAll(/\\[\s\S]/g, '')
  if (rest.endsWith('\\') || rest.endsWith('$')) return true
  const outside = rest.replaceAll(/\$\{[^\s{};"']*\}/g, '')
  return /[\s{};"']/.test(outside)
}
