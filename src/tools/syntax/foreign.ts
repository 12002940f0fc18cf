/** Text in configuration files that is not nginx's: blocks of Lua, and the marks of templates that make the files. */

const TEMPLATE = /\{\{.*?\}\}|\{%.*?%\}/g
/** A letter that nobody writes. */
const FILLER = '\uE000'

/**
 * Returns a text of the same length in which `{{ value }}` is letters of a word, and a line that has only `{% tag %}` is
 * a comment.
 */
export function maskTemplates(text: string): string {
  if (!text.includes('{{') && !text.includes('{%')) return text
  return text
    .replace(/^([ \t]*)(\{%.*%\})([ \t]*)$/gm, (_, before: string, tag: string, after: string) => {
      return `${before}#${FILLER.repeat(tag.length - 1)}${after}`
    })
    .replace(TEMPLATE, (tag) => FILLER.repeat(tag.length))
}

/** Where a block of Lua that opens at `start` ends, after its brace; undefined when it does not. */
export function luaEnd(text: string, start: number): number | undefined {
  const token = /[{}]|--\[(=*)\[|--.*|\[(=*)\[|"(?:[^"\\\n]|\\[\s\S])*"|'(?:[^'\\\n]|\\[\s\S])*'/g
  token.lastIndex = start
  let depth = 0
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    const [found, comment, long] = match
    if (found === '{') depth++
    else if (found === '}' && --depth === 0) return token.lastIndex
    const level = comment ?? long
    if (level === undefined) continue
    const end = text.indexOf(`]${level}]`, token.lastIndex)
    if (end < 0) return undefined
    token.lastIndex = end + level.length + 2
  }
  return undefined
}
