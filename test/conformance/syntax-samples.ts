/**
 * From a directive's syntax as nginx documents it to lines that use every documented part of it:
 *
 *     limit_req zone=name [burst=number] [nodelay | delay=number]
 *       ->  limit_req zone=name;  limit_req zone=name burst=1;  limit_req zone=name nodelay;  limit_req zone=name delay=1;
 *
 * A part in brackets stands once by itself and once among all the others; of alternatives each is taken once.
 */

/** A word, one of several, something that may be left out, or a row of them. */
type Part =
  | { readonly kind: 'word'; readonly text: string }
  | { readonly kind: 'choice'; readonly of: readonly Part[] }
  | { readonly kind: 'optional'; readonly part: Part }
  | { readonly kind: 'row'; readonly parts: readonly Part[] }

/** The lines of one documented form, without the directive's name; `value` gives an example of a placeholder. */
export function samplesOf(syntax: string, value: (placeholder: string) => string): string[] {
  const part = parse(syntax.replace(/\{\.\.\.\}$/, '').trim())
  const lines = expand(part).map((line) => line.map((word) => fill(word, value)).join(' '))
  return [...new Set(lines)]
}

function parse(syntax: string): Part {
  const words = split(syntax)
  const rows: Part[][] = [[]]
  for (const word of words) {
    if (word === '|') rows.push([])
    else if (word === '...') continue
    else if (word.startsWith('[') && word.endsWith(']') && closes(word)) {
      rows.at(-1)!.push({ kind: 'optional', part: parse(word.slice(1, -1).trim()) })
    } else rows.at(-1)!.push(readWord(word))
  }
  // `a | b c` is a choice between words in front of what both share only when documented so; rows are whole forms here.
  const forms = rows.map((parts): Part => (parts.length === 1 ? parts[0]! : { kind: 'row', parts }))
  return forms.length === 1 ? forms[0]! : { kind: 'choice', of: forms }
}

/** Words and bracketed groups at the outer level. */
function split(syntax: string): string[] {
  const words: string[] = []
  let depth = 0
  let word = ''
  for (const char of syntax) {
    if (char === '[') depth++
    if (char === ']') depth--
    if (char === ' ' && depth === 0) {
      if (word !== '') words.push(word)
      word = ''
    } else word += char
  }
  if (word !== '') words.push(word)
  return words
}

function closes(word: string): boolean {
  let depth = 0
  for (let i = 0; i < word.length; i++) {
    if (word[i] === '[') depth++
    if (word[i] === ']' && --depth === 0) return i === word.length - 1
  }
  return false
}

/** `name=on|off|value`, `format[:size]`, `on|off`: the alternatives of one word. */
function readWord(word: string): Part {
  const inner = /^(.*?)\[([^\]]*)\](.*)$/.exec(word)
  if (inner !== null) {
    const [, before, middle, after] = inner
    return { kind: 'choice', of: [readWord(`${before}${after}`), readWord(`${before}${middle}${after}`)] }
  }
  const equals = word.indexOf('=')
  const values = (equals < 0 ? word : word.slice(equals + 1)).split('|')
  const start = equals < 0 ? '' : word.slice(0, equals + 1)
  if (values.length === 1) return { kind: 'word', text: word }
  return { kind: 'choice', of: values.map((text): Part => ({ kind: 'word', text: start + text })) }
}

function expand(part: Part): string[][] {
  switch (part.kind) {
    case 'word':
      return [[part.text]]
    case 'choice':
      return part.of.flatMap(expand)
    case 'optional':
      return [[], ...expand(part.part)]
    case 'row':
      return expandRow(part.parts)
  }
}

/** Each part varies while the others are at their shortest, and once all are at their longest. */
function expandRow(parts: readonly Part[]): string[][] {
  const each = parts.map(expand)
  const shortest = each.map((all) => all[0]!)
  const rows = each.flatMap((all, i) => all.map((one) => shortest.map((words, j) => (i === j ? one : words))))
  rows.push(each.map((all) => all.at(-1)!))
  return rows.map((row) => row.flat())
}

/** Puts examples in the place of placeholders: `zone=name:size`, `$variable`, `file`. */
function fill(word: string, value: (placeholder: string) => string): string {
  const equals = word.indexOf('=')
  if (equals >= 0)
    return (
      word.slice(0, equals + 1) +
      word
        .slice(equals + 1)
        .split(':')
        .map(value)
        .join(':')
    )
  return /^[a-z_]+(?::[a-z_]+)+$/.test(word) ? word.split(':').map(value).join(':') : value(word)
}
