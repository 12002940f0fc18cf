/** Variants of a response: which one a request wants, from the fields that the response varies by (ngx_http_file_cache_vary). */
import { md5Of } from './cache-file.ts'

/** What a request says about the fields that a response varies by. */
export interface VaryValues {
  /**
   * The values of its field `name` (in lower case), several lines joined by commas; those that `normalizesVary` names are
   * put through `normalizeVary` before.
   */
  varyValue(name: string): string
}

const NORMALIZED: ReadonlySet<string> = new Set(['accept-charset', 'accept-encoding', 'accept-language'])

/** Whether spaces and commas in a field make no difference. */
export function normalizesVary(name: string): boolean {
  return NORMALIZED.has(name)
}

/** `gzip, br` and `gzip,br` are the same to whoever varies by them. */
export function normalizeVary(value: string): string {
  return wordsOf(value).join(',')
}

function wordsOf(text: string): string[] {
  return text.split(/[ ,]+/).filter((word) => word !== '')
}

/** The MD5 of the variant that a request wants of a response with this Vary under the main key `md5`. */
export function variantOf(md5: string, vary: string, values: VaryValues): Buffer {
  let text = md5
  for (const name of wordsOf(vary.toLowerCase())) text += `${name}:${values.varyValue(name)}\r\n`
  return md5Of(text)
}
