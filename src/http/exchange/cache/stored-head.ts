/** How the head of a response is written into a cache file: as it came, or as HTTP/1 text where it did not come as one. */
import type { Codec, Protocol } from '../codec.ts'
import type { HeadReader } from '../head-reader.ts'

/** The bytes, borrowed from `reader` where they are the back end's own. */
export function storedHead(protocol: Protocol, codec: Codec, reader: HeadReader): Buffer {
  if (codec.storedHead !== undefined) return codec.storedHead()
  if (protocol.stored === undefined) return reader.buffer.subarray(reader.start, reader.at)
  const { headers, status, statusText } = codec
  let text = `HTTP/1.1 ${statusText === '' ? `${status} ` : statusText}\r\n`
  for (let i = 0; i < headers.count; i++) {
    if (!headers.hidden(i)) text += headers.name(i) + ': ' + headers.value(i) + '\r\n'
  }
  return Buffer.from(text + '\r\n', 'latin1')
}
