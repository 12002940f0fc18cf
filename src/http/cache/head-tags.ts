/** The tags of a response, from the head as it was stored: for files whose tags nobody remembers. */
import { tagHash } from '../../shared/cache/tags.ts'

const FIELD = /[\n\0](surrogate-key|cache-tag):([^\r\n]*)/gi

/** The hashes of the tags in a stored head. */
export function headTags(head: Buffer): number[] {
  const hashes: number[] = []
  const text = head.latin1Slice()
  for (const [, name, value] of text.matchAll(FIELD)) {
    for (const tag of splitTags(name!.toLowerCase() === 'cache-tag', value!)) hashes.push(tagHash(tag))
  }
  return hashes
}

/** The tags of a field: `Surrogate-Key` separates them by spaces, `Cache-Tag` by commas. */
function splitTags(commas: boolean, value: string): string[] {
  const parts = commas ? value.split(',') : value.split(/[ \t]+/)
  return parts.map((part) => part.trim()).filter((part) => part !== '')
}
