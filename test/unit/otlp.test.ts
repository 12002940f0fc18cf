/** Traces in protobuf: decoded, they are what the official serializer of OpenTelemetry writes of the same spans. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer'
import { SERVER, SpanBatch } from '../../src/lib/otlp.ts'
import { decodeTraces } from '../harness/otlp.ts'

const HEAD = {
  kind: SERVER,
  name: 'a name',
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b9c7c989f97918e1',
  parentId: '00f067aa0ba902b7',
  isRemote: true,
  state: 'a=b',
  startMs: 1_764_000_000_123,
  endMs: 1_764_000_001_456,
}

function ours(count = 1): Buffer {
  const batch = new SpanBatch()
  for (let i = 0; i < count; i++) {
    batch.begin(HEAD)
    batch.text('text', 'v\u00c3\u00a4lue')
    batch.integer('small', 7)
    batch.integer('large', 2 ** 40 + 5)
    batch.list('list', 'one')
    batch.end(true)
  }
  const resource = SpanBatch.resourceOf(new Map([['service.name', 'caf\xc3\xa9']]))
  return batch.finish(resource, SpanBatch.scopeOf('nginx', '1.2'))
}

/** The same span as the official library sees it. */
function official(): Buffer {
  const resource = { attributes: { 'service.name': 'caf\u00e9' }, asyncAttributesPending: false }
  const context = { traceId: HEAD.traceId, spanId: HEAD.spanId, traceFlags: 1, traceState: { serialize: () => 'a=b' } }
  const span = {
    name: HEAD.name,
    // The library counts from 0, the protocol from 1.
    kind: SERVER - 1,
    spanContext: () => context,
    parentSpanContext: { traceId: HEAD.traceId, spanId: HEAD.parentId, traceFlags: 1, isRemote: true },
    startTime: [1_764_000_000, 123_000_000],
    endTime: [1_764_000_001, 456_000_000],
    status: { code: 2 },
    attributes: { text: 'v\u00e4lue', small: 7, large: 2 ** 40 + 5, list: ['one'] },
    links: [],
    events: [],
    duration: [1, 0],
    ended: true,
    resource,
    instrumentationScope: { name: 'nginx', version: '1.2' },
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  }
  // What the serializer reads of a span.
  return Buffer.from(ProtobufTraceSerializer.serializeRequest([span as never])!)
}

test('the official serializer writes the same', () => {
  const [theirs] = decodeTraces(official())
  const [own] = decodeTraces(ours())
  assert.deepEqual(own, theirs)
  assert.equal(own!.spans[0]!.attributes['text'], 'v\u00e4lue')
  assert.equal(own!.spans[0]!.endNs, 1_764_000_001_456_000_000n)
})

test('many spans, long texts', () => {
  assert.equal(decodeTraces(ours(1000))[0]!.spans.length, 1000)
  const batch = new SpanBatch()
  batch.begin({ ...HEAD, name: 'n'.repeat(100_000), parentId: '', state: '' })
  for (let i = 0; i < 300; i++) batch.text(`k${i}`, '\xff'.repeat(100_000))
  batch.end(false)
  const [{ spans }] = decodeTraces(batch.finish(Buffer.alloc(0), Buffer.alloc(0))) as [
    ReturnType<typeof decodeTraces>[0],
  ]
  assert.equal(spans.length, 1)
  assert.ok(Object.keys(spans[0]!.attributes).length > 10)
  assert.equal(spans[0]!.parentId, '')
})
