/** A collector of traces: OTLP by gRPC (grpc-js) and by HTTP, and a decoder of its messages. */
import { once } from 'node:events'
import http from 'node:http'
import grpc from '@grpc/grpc-js'

/** A value of an attribute. */
export type OtlpValue = string | number | boolean | readonly OtlpValue[]

/** One span. */
export interface OtlpSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentId: string
  readonly state: string
  readonly name: string
  readonly kind: number
  readonly startNs: bigint
  readonly endNs: bigint
  readonly attributes: Readonly<Record<string, OtlpValue>>
  readonly statusCode: number
  readonly flags: number
}

/** One ResourceSpans. */
export interface OtlpBatch {
  readonly resource: Readonly<Record<string, OtlpValue>>
  readonly scope: { readonly name: string; readonly version: string }
  readonly spans: readonly OtlpSpan[]
}

type Field = number | bigint | Buffer

/** Fields of a message by number, in order (protobuf's wire format). */
function fieldsOf(bytes: Buffer): Map<number, Field[]> {
  const fields = new Map<number, Field[]>()
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      if (at >= bytes.length || scale > 2 ** 63) throw new Error('a varint that does not end')
      const byte = bytes[at++]!
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
    }
  }
  const take = (size: number): Buffer => {
    if (at + size > bytes.length) throw new Error('a field longer than its message')
    at += size
    return bytes.subarray(at - size, at)
  }
  while (at < bytes.length) {
    const tag = varint()
    const type = tag & 7
    let value: Field
    if (type === 0) value = varint()
    else if (type === 1) value = take(8).readBigUInt64LE()
    else if (type === 2) value = take(varint())
    else if (type === 5) value = take(4).readUInt32LE()
    else throw new Error(`wire type ${type}`)
    const list = fields.get(tag >> 3)
    if (list === undefined) fields.set(tag >> 3, [value])
    else list.push(value)
  }
  return fields
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

function bytesIn(fields: Map<number, Field[]>, field: number): Buffer {
  return (fields.get(field)?.[0] as Buffer | undefined) ?? Buffer.alloc(0)
}

function textIn(fields: Map<number, Field[]>, field: number): string {
  return utf8.decode(bytesIn(fields, field))
}

function anyValue(bytes: Buffer): OtlpValue {
  const fields = fieldsOf(bytes)
  if (fields.has(1)) return textIn(fields, 1)
  if (fields.has(2)) return fields.get(2)![0] !== 0
  if (fields.has(3)) return Number(fields.get(3)![0])
  if (fields.has(5)) return (fieldsOf(bytesIn(fields, 5)).get(1) ?? []).map((one) => anyValue(one as Buffer))
  throw new Error('a value of an unknown kind')
}

function attributesOf(list: readonly Field[] = []): Record<string, OtlpValue> {
  return Object.fromEntries(
    list.map((one) => {
      const fields = fieldsOf(one as Buffer)
      return [textIn(fields, 1), anyValue(bytesIn(fields, 2))]
    }),
  )
}

function spanOf(bytes: Buffer): OtlpSpan {
  const fields = fieldsOf(bytes)
  return {
    traceId: bytesIn(fields, 1).toString('hex'),
    spanId: bytesIn(fields, 2).toString('hex'),
    state: textIn(fields, 3),
    parentId: bytesIn(fields, 4).toString('hex'),
    name: textIn(fields, 5),
    kind: Number(fields.get(6)?.[0] ?? 0),
    startNs: BigInt(fields.get(7)?.[0] as bigint),
    endNs: BigInt(fields.get(8)?.[0] as bigint),
    attributes: attributesOf(fields.get(9)),
    statusCode: Number(fieldsOf(bytesIn(fields, 15)).get(3)?.[0] ?? 0),
    flags: Number(fields.get(16)?.[0] ?? 0),
  }
}

/** Decodes an ExportTraceServiceRequest (opentelemetry/proto/collector/trace/v1). */
export function decodeTraces(message: Buffer): OtlpBatch[] {
  return (fieldsOf(message).get(1) ?? []).flatMap((one) => {
    const fields = fieldsOf(one as Buffer)
    const resource = attributesOf(fieldsOf(bytesIn(fields, 1)).get(1))
    return (fields.get(2) ?? []).map((scopeSpans) => {
      const inner = fieldsOf(scopeSpans as Buffer)
      const scope = fieldsOf(bytesIn(inner, 1))
      const spans = (inner.get(2) ?? []).map((span) => spanOf(span as Buffer))
      return { resource, scope: { name: textIn(scope, 1), version: textIn(scope, 2) }, spans }
    })
  })
}

const EXPORT = '/opentelemetry.proto.collector.trace.v1.TraceService/Export'

/** Takes traces; with a certificate, by TLS. */
export class Collector implements AsyncDisposable {
  readonly batches: OtlpBatch[] = []
  /** Of the last call or post. */
  headers: Record<string, unknown> = {}
  posts = 0
  /** What calls are answered with. */
  status = 0
  /** Calls are not answered as long as it is set. */
  silent = false
  readonly #server = new grpc.Server()
  #http: http.Server | undefined

  get spans(): OtlpSpan[] {
    return this.batches.flatMap((batch) => batch.spans)
  }

  async listen(port: number, pair?: { readonly cert: string; readonly key: string }): Promise<void> {
    const raw = (bytes: Buffer): Buffer => bytes
    this.#server.addService(
      {
        export: {
          path: EXPORT,
          requestStream: false,
          responseStream: false,
          requestSerialize: raw,
          requestDeserialize: raw,
          responseSerialize: raw,
          responseDeserialize: raw,
        },
      },
      {
        export: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
          this.headers = call.metadata.getMap()
          this.batches.push(...decodeTraces(call.request))
          if (this.silent) return
          if (this.status === 0) done(null, Buffer.alloc(0))
          else done({ code: this.status, details: 'the collector is unwell' })
        },
      },
    )
    const credentials =
      pair === undefined
        ? grpc.ServerCredentials.createInsecure()
        : grpc.ServerCredentials.createSsl(null, [
            { cert_chain: Buffer.from(pair.cert), private_key: Buffer.from(pair.key) },
          ])
    await new Promise<void>((resolve, reject) => {
      this.#server.bindAsync(`127.0.0.1:${port}`, credentials, (error) => (error ? reject(error) : resolve()))
    })
  }

  async listenHttp(port: number): Promise<void> {
    const server = http.createServer((request, response) => {
      const pieces: Buffer[] = []
      request.on('data', (piece: Buffer) => pieces.push(piece))
      request.on('end', () => {
        this.headers = { ...request.headers, path: request.url }
        this.batches.push(...decodeTraces(Buffer.concat(pieces)))
        this.posts++
        response.end()
      })
    })
    this.#http = server
    // A port that somebody else has taken is an error, and nothing to wait for.
    await once(server.listen(port, '127.0.0.1'), 'listening')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.forceShutdown()
    const server = this.#http
    if (server === undefined) return
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
}
