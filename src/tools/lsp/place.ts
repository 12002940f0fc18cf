/**
 * Where the cursor is, in a text that may be half written: the blocks that are open, the statement at hand and its words.
 * The server's lexer reads up to the cursor; what it cannot finish is the statement at hand.
 */
import type { Context } from '../../config/directive.ts'
import { Lexer } from '../../config/lexer.ts'
import { registry } from '../model/model.ts'

/** A place in a text. */
export interface Place {
  /** The context of the innermost open block; undefined where nothing is known of it. */
  readonly context: Context | undefined
  /** The words of the open blocks, outermost first. */
  readonly blocks: readonly (readonly string[])[]
  /** The words before the one at the cursor. */
  readonly before: readonly string[]
  /** The word at the cursor, as far as it is written, without an opening quote. */
  readonly word: string
}

/** Finds out what is around the end of `text`, which stands in `outer`. */
export function placeIn(text: string, outer: Context): Place | undefined {
  const lexer = new Lexer(text, '')
  const stack: { readonly words: readonly string[]; readonly context: Context | undefined }[] = []
  for (;;) {
    const context = stack.length === 0 ? outer : stack.at(-1)!.context
    const { index } = lexer.mark()
    const token = lexer.next()
    if (token.kind === 'open') {
      const words = token.words.map((word) => word.text)
      const directive = context === undefined ? undefined : registry.find(words[0]!, context)
      stack.push({ words, context: directive?.opens })
    } else if (token.kind === 'close') {
      if (stack.pop() === undefined) return undefined
    } else if (token.kind !== 'simple') {
      const rest = unfinished(text.slice(index))
      return rest && { ...rest, context, blocks: stack.map(({ words }) => words) }
    }
  }
}

/** The words of a statement that is not ended; undefined in a comment. */
function unfinished(text: string): Pick<Place, 'before' | 'word'> | undefined {
  const words: string[] = []
  let at = 0
  for (;;) {
    at += /^\s*/.exec(text.slice(at))![0].length
    if (at >= text.length) return { before: words, word: '' }
    if (text[at] === '#') {
      const end = text.indexOf('\n', at)
      if (end < 0) return undefined
      at = end
      continue
    }
    const quote = text[at] === '"' || text[at] === "'" ? text[at] : undefined
    const match =
      quote === undefined
        ? /^(?:\\[\s\S]|[^\s\\])+/.exec(text.slice(at))
        : new RegExp(`^${quote}(?:\\\\[\\s\\S]|[^\\\\${quote}])*(${quote}?)`).exec(text.slice(at))
    const found = match?.[0] ?? text[at]!
    at += found.length
    const isClosed = quote !== undefined && found.length > 1 && found.endsWith(quote)
    if (at >= text.length && !isClosed) return { before: words, word: quote === undefined ? found : found.slice(1) }
    words.push(quote === undefined ? found : found.slice(1, -1))
  }
}
