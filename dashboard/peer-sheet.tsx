/** One server of a group: all that is known of it, and what can be done with it. */
import type { ComponentChildren, JSX } from 'preact'
import { useState } from 'preact/hooks'
import { changeServer, type Outcome, removeServer } from './api.ts'
import { toneOf } from './attention.ts'
import { bytes, count, duration, moment, ms, rate } from './format.ts'
import { quantile } from './history.ts'
import { Badge, Codes, Facts, Histogram, Sheet } from './parts.tsx'
import type { useStore } from './store.ts'
import type { PeerRow } from './views-upstreams.tsx'

type Store = ReturnType<typeof useStore>

/** So many states before that of now are told. */
const BEFORE_MAX = 3

interface Props {
  readonly store: Store
  readonly row: PeerRow
  readonly onClose: () => void
}

export function PeerSheet({ store, row, onClose }: Props): JSX.Element {
  const { peer, group, more, recent } = row
  const checks = peer.health_checks
  const last = more?.last_checks ?? []
  return (
    <Sheet title={peer.server} badge={<Badge tone={toneOf(peer.state)}>{peer.state}</Badge>} onClose={onClose}>
      <Actions store={store} row={row} onGone={onClose} />
      <section>
        <Facts of={factsOf(row)} />
      </section>
      <section>
        <h3>Health checks</h3>
        {checks.checks === 0 ? (
          <p class="muted">
            None: <code>health_check;</code> in the location that passes requests to {group} makes them.
          </p>
        ) : (
          <>
            {last.length > 0 && (
              <div
                class="checks"
                role="img"
                aria-label={`The last ${last.length} checks, ${last.filter((passed) => !passed).length} failed`}
              >
                {last.map((passed, i) => (
                  <i key={i} class={passed ? '' : 'bad'} title={passed ? 'passed' : 'failed'} />
                ))}
              </div>
            )}
            <Facts
              of={[
                ['Made', count(checks.checks)],
                ['Failed', count(checks.fails)],
                ['Became unhealthy', `${count(checks.unhealthy)} times`],
                ...(more === undefined
                  ? []
                  : ([
                      [
                        'In a row',
                        more.checks.failed > 0 ? `${more.checks.failed} failed` : `${more.checks.passed} passed`,
                      ],
                    ] as const)),
              ]}
            />
          </>
        )}
      </section>
      <section>
        <h3>Response times of the last seconds</h3>
        <Histogram buckets={recent} />
        {more !== undefined && more.times.count > 0 && (
          <p class="muted small">
            Since counting began: p50 {ms(quantile(more.times.buckets, 0.5))}, p95{' '}
            {ms(quantile(more.times.buckets, 0.95))}, p99 {ms(quantile(more.times.buckets, 0.99))} of{' '}
            {count(more.times.count)}
          </p>
        )}
      </section>
      <section>
        <h3>Statuses</h3>
        <Codes codes={peer.responses.codes} />
      </section>
    </Sheet>
  )
}

function factsOf({ group, peer, more, requests, sent, received }: PeerRow): (readonly [string, ComponentChildren])[] {
  const since = more?.since ?? 0
  // The newest is the state of now.
  const before = (more?.changes ?? []).slice(0, -1).slice(-BEFORE_MAX).toReversed()
  return [
    ['Group', group],
    ...(peer.name === peer.server ? [] : ([['Name', peer.name]] as const)),
    ['State', since === 0 ? peer.state : `${peer.state} since ${moment(since)} (${duration(Date.now() - since)})`],
    ...(before.length === 0
      ? []
      : ([['Before', before.map(({ at, state }) => `${state} from ${moment(at)}`).join(', ')]] as const)),
    ['Down in all', duration(peer.downtime)],
    ['Weight', String(peer.weight)],
    ['Under way', peer.max_conns === undefined ? count(peer.active) : `${peer.active} of ${peer.max_conns}`],
    ['Requests', `${count(peer.requests)} in all, ${rate(requests)} /s`],
    ['Failed attempts', `${count(peer.fails)}, ${count(peer.unavail)} times set aside`],
    ...(peer.header_time === undefined ? [] : ([['Time to the head', ms(peer.header_time)]] as const)),
    ...(peer.response_time === undefined ? [] : ([['Time to the end', ms(peer.response_time)]] as const)),
    ['Sent to it', `${bytes(peer.sent)}, ${bytes(sent)}/s`],
    ['Received', `${bytes(peer.received)}, ${bytes(received)}/s`],
    ['Last chosen', peer.selected === undefined ? 'never' : moment(Date.parse(peer.selected))],
  ]
}

function Actions(props: {
  readonly store: Store
  readonly row: PeerRow
  /** The server is not there any more. */
  readonly onGone: () => void
}): JSX.Element {
  const { store, row, onGone } = props
  const { peer, group } = row
  const [busy, setBusy] = useState(false)
  const [said, setSaid] = useState('')
  const lastOne = lastInUse(store, row)
  if (!store.writable) {
    return (
      <section>
        <p class="muted small">
          Servers cannot be changed from here: the API allows it with <code>api write=on;</code>.
        </p>
      </section>
    )
  }
  const settle = async (asked: Promise<Outcome<unknown>>, done: string): Promise<boolean> => {
    setBusy(true)
    const outcome = await asked
    await store.refresh()
    setBusy(false)
    setSaid(outcome.ok ? done : `It was refused: ${outcome.text}.`)
    return outcome.ok
  }
  const change = (what: object, done: string): Promise<boolean> => settle(changeServer(group, peer.id, what), done)
  const remove = async (): Promise<void> => {
    if (await settle(removeServer(group, peer.id), 'It was removed.')) onGone()
  }
  const isOff = peer.state === 'down' || peer.state === 'draining'
  return (
    <section>
      <div class="tools">
        {isOff ? (
          <button
            type="button"
            class="button"
            disabled={busy}
            onClick={() => void change({ down: false }, 'It is in use again.')}
          >
            Put into use
          </button>
        ) : (
          <>
            <button
              type="button"
              class="button"
              disabled={busy}
              onClick={() => void change({ drain: true }, 'It gets only requests of sessions that are bound to it.')}
            >
              Drain
            </button>
            <button
              type="button"
              class="button danger"
              disabled={busy}
              onClick={() => void change({ down: true }, 'It gets no requests any more.')}
            >
              Take down
            </button>
          </>
        )}
        <WeightForm
          weight={peer.weight}
          busy={busy}
          onSet={(weight) => void change({ weight }, `The weight is ${weight}.`)}
        />
        <Remove busy={busy} onRemove={() => void remove()} />
      </div>
      {lastOne && !isOff && <p class="note small">It is the last one of {group} in use: without it requests fail.</p>}
      <p class="muted small" role="status">
        {said}
      </p>
    </section>
  )
}

/** Asks once more before it is done. */
function Remove({ busy, onRemove }: { readonly busy: boolean; readonly onRemove: () => void }): JSX.Element {
  const [sure, setSure] = useState(false)
  if (!sure) {
    return (
      <button type="button" class="button danger" disabled={busy} onClick={() => setSure(true)}>
        Remove …
      </button>
    )
  }
  return (
    <>
      <button type="button" class="button danger" disabled={busy} onClick={onRemove}>
        Remove it from the group
      </button>
      <button type="button" class="button" onClick={() => setSure(false)}>
        Keep it
      </button>
    </>
  )
}

function WeightForm(props: {
  readonly weight: number
  readonly busy: boolean
  readonly onSet: (weight: number) => void
}): JSX.Element {
  const { weight, busy, onSet } = props
  const [text, setText] = useState(String(weight))
  const submit = (event: Event): void => {
    event.preventDefault()
    onSet(Number(text))
  }
  return (
    <form class="tools" onSubmit={submit}>
      <label>
        Weight{' '}
        <input
          class="field"
          style={{ width: '72px' }}
          type="number"
          min="1"
          max="65535"
          required
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </label>
      <button type="submit" class="button" disabled={busy || text === String(weight) || text === ''}>
        Set
      </button>
    </form>
  )
}

function lastInUse(store: Store, { group, peer }: PeerRow): boolean {
  const peers = store.last('9/http/upstreams/')?.[group]?.peers ?? []
  return peer.state === 'up' && peers.every(({ id, state }) => id === peer.id || state !== 'up')
}
