/** FNV-1a: a hash that is unlike a checksum, so that with one beside it no two keys are taken for the same by accident. */

/** The hash of a text as a signed integer that is not 0. */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash | 0 || 1
}
