/** The dashboard: a view for each part of the server, chosen by the address behind `#`, and what stands around it. */
import { type JSX, render } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { apiPath } from './api.ts'
import { attention, peerCounts } from './attention.ts'
import { duration } from './format.ts'
import { Sheet } from './parts.tsx'
import { store, useStore } from './store.ts'
import './style.css'
import { nextTheme, useTheme } from './theme.ts'
import { Caches, Limits } from './views-caches.tsx'
import { Overview } from './views-overview.tsx'
import { Requests } from './views-requests.tsx'
import { System } from './views-system.tsx'
import { Upstreams } from './views-upstreams.tsx'
import { Zones } from './views-zones.tsx'

type Store = ReturnType<typeof useStore>

interface View {
  readonly name: string
  readonly label: string
  readonly draw: (props: { readonly store: Store }) => JSX.Element
}

const VIEWS: readonly View[] = [
  { name: 'overview', label: 'Overview', draw: Overview },
  { name: 'zones', label: 'Servers', draw: Zones },
  { name: 'upstreams', label: 'Back ends', draw: Upstreams },
  { name: 'caches', label: 'Caches', draw: Caches },
  { name: 'limits', label: 'Limits', draw: Limits },
  { name: 'requests', label: 'Requests', draw: Requests },
  { name: 'system', label: 'System', draw: System },
]

function viewOf(hash: string): View {
  return VIEWS.find(({ name }) => hash === `#/${name}`) ?? VIEWS[0]!
}

function App(): JSX.Element {
  const current = useStore()
  const [view, setView] = useState(() => viewOf(location.hash))
  const [help, setHelp] = useState(false)
  useEffect(() => {
    const changed = (): void => {
      setView(viewOf(location.hash))
      scrollTo(0, 0)
    }
    const pressed = (event: KeyboardEvent): void => onKey(event, () => setHelp(true))
    addEventListener('hashchange', changed)
    addEventListener('keydown', pressed)
    return () => {
      removeEventListener('hashchange', changed)
      removeEventListener('keydown', pressed)
    }
  }, [])
  useEffect(() => {
    store.view = view.name
    void store.refresh()
    document.title = `${view.label} · Viaduct`
  }, [view])
  const ready = store.last('9/connections') !== undefined
  return (
    <>
      <button type="button" class="skip" onClick={() => document.getElementById('main')?.focus()}>
        Skip to the content
      </button>
      <div class="shell">
        <Side store={current} view={view} />
        <main class="main" id="main" tabIndex={-1}>
          <Bar store={current} view={view} onHelp={() => setHelp(true)} />
          {ready ? (
            <>
              <Away store={current} />
              <view.draw key={view.name} store={current} />
            </>
          ) : (
            <Gate store={current} />
          )}
        </main>
      </div>
      {help && <Help onClose={() => setHelp(false)} />}
    </>
  )
}

/** The line above a view: its name, whether it is live, and what is done with the page. */
function Bar(props: { readonly store: Store; readonly view: View; readonly onHelp: () => void }): JSX.Element {
  const { store, view, onHelp } = props
  const theme = useTheme()
  return (
    <div class="bar">
      <h1>{view.label}</h1>
      <Live store={store} />
      <button
        type="button"
        class={`button ${store.paused ? 'on' : ''}`}
        aria-pressed={store.paused}
        onClick={() => {
          store.paused = !store.paused
          store.changed()
        }}
      >
        {store.paused ? 'Go on' : 'Pause'}
      </button>
      <button
        type="button"
        class="button icon"
        aria-label={`Colours: ${theme}. Change`}
        title={`Colours: ${theme}`}
        onClick={nextTheme}
      >
        <ThemeIcon theme={theme} />
      </button>
      <button type="button" class="button icon" aria-label="Keys" title="Keys" onClick={onHelp}>
        ?
      </button>
    </div>
  )
}

function Side({ store, view }: { readonly store: Store; readonly view: View }): JSX.Element {
  const nginx = store.last('9/nginx')
  const uptime = nginx && Date.now() - (store.last('viaduct/reloads')?.startedMs ?? Date.parse(nginx.load_timestamp))
  return (
    <header class="side">
      <div class="brand">
        <svg viewBox="0 0 24 24" aria-hidden="true">
          <path
            fill="currentColor"
            d="M1 5h22v3.400h-2V20h-3.400v-5.600a2.300 2.300 0 0 0-4.600 0V20h-2v-5.600a2.300 2.300 0 0 0-4.600 0V20H3V8.400H1z"
          />
        </svg>
        Viaduct
      </div>
      <nav aria-label="Views">
        <ul class="nav">
          {VIEWS.map(({ name, label }) => (
            <li key={name}>
              <a href={`#/${name}`} {...(name === view.name ? { 'aria-current': 'page' as const } : {})}>
                {label}
                <Mark store={store} name={name} />
              </a>
            </li>
          ))}
        </ul>
      </nav>
      {nginx !== undefined && (
        <div class="foot">
          <dl>
            <dt>Version</dt>
            <dd title={nginx.build}>{nginx.version}</dd>
            <dt>Address</dt>
            <dd>{nginx.address}</dd>
            <dt>Running</dt>
            <dd>{duration(uptime ?? 0)}</dd>
            <dt>Changes</dt>
            <dd>{store.writable ? 'allowed' : 'read only'}</dd>
          </dl>
        </div>
      )}
    </header>
  )
}

/** How many there are of what a view shows, or how many of them need attention. */
function Mark({ store, name }: { readonly store: Store; readonly name: string }): JSX.Element | null {
  const notes = attention(store).filter(({ view }) => view === name)
  if (name === 'overview') return null
  if (notes.length > 0) {
    const bad = notes.some(({ tone }) => tone === 'bad')
    return (
      <span class={`n ${bad ? 'bad' : 'warn'}`}>
        {notes.length}
        <span class="hidden"> need attention</span>
      </span>
    )
  }
  const n = sizeOf(store, name)
  return n === undefined ? null : <span class="n">{n}</span>
}

function sizeOf(store: Store, name: string): number | undefined {
  const size = (of: object | undefined): number | undefined => of && Object.keys(of).length
  switch (name) {
    case 'zones':
      return size(store.last('9/http/server_zones/'))
    case 'upstreams':
      return peerCounts(store)?.all
    case 'caches':
      return size(store.last('viaduct/caches'))
    case 'limits': {
      const [reqs, conns] = [size(store.last('9/http/limit_reqs/')), size(store.last('9/http/limit_conns/'))]
      return reqs === undefined || conns === undefined ? undefined : reqs + conns
    }
    default:
      return undefined
  }
}

function Live({ store }: { readonly store: Store }): JSX.Element {
  const [tone, text] = store.paused
    ? ['off', 'Paused']
    : store.trouble !== undefined
      ? ['bad', 'No connection']
      : store.last('9/connections') === undefined
        ? ['off', 'Connecting']
        : ['', 'Live']
  return (
    <span class="live" role="status">
      <span class={`dot ${tone}`} />
      {text}
    </span>
  )
}

/** The server was there and is not: what is shown is old. */
function Away({ store }: { readonly store: Store }): JSX.Element | null {
  if (store.awaySinceMs === 0) return null
  const since = duration(Date.now() - store.awaySinceMs)
  return (
    <p class="note bad" role="alert" style={{ marginBottom: '12px' }}>
      <b>{titleOf(store)}</b>
      <span>For {since}; what is shown is from before. It is tried again every two seconds.</span>
    </p>
  )
}

function titleOf({ trouble, troubleText }: Store): string {
  switch (trouble) {
    case 'unauthorized':
      return 'The server wants you to log in again.'
    case 'forbidden':
      return `The API refuses: ${troubleText}.`
    case 'missing':
      return 'The API is not there any more.'
    default:
      return 'The server does not answer.'
  }
}

/** What stands in the place of all views before the API has answered. */
function Gate({ store }: { readonly store: Store }): JSX.Element {
  const { trouble, troubleText } = store
  return (
    <div class="gate">
      {trouble === undefined ? (
        <p class="muted">Asking the server …</p>
      ) : (
        <section class="card" role="alert">
          <h2>{gateTitle(trouble)}</h2>
          {trouble === 'unauthorized' && (
            <>
              <p>
                The API at <code>{apiPath}</code> asks for a name and a password. Log in, and come back.
              </p>
              <p>
                <a href={apiPath}>Log in at the API</a>
              </p>
            </>
          )}
          {trouble === 'forbidden' && (
            <p>
              The API at <code>{apiPath}</code> refuses this browser: {troubleText}. Whoever may is said by{' '}
              <code>allow</code>, <code>auth_basic</code> and their like in its location.
            </p>
          )}
          {(trouble === 'missing' || trouble === 'broken') && (
            <>
              <p>
                There is no API at <code>{apiPath}</code> ({troubleText}). The dashboard shows what it tells:
              </p>
              {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it may scroll, which keyboards must reach */}
              <pre tabIndex={0}>{`location ${apiPath} {
    api;                # api write=on; allows changes
    allow 127.0.0.1;
    deny all;
}
location = /dashboard.html {
    dashboard;          # dashboard api=/elsewhere/; for an API elsewhere
}`}</pre>
            </>
          )}
          {trouble === 'away' && <p>It is tried again every two seconds ({troubleText}).</p>}
        </section>
      )}
    </div>
  )
}

function gateTitle(trouble: NonNullable<Store['trouble']>): string {
  switch (trouble) {
    case 'unauthorized':
      return 'Log in to see what the server does'
    case 'forbidden':
      return 'You may not see this'
    case 'away':
      return 'The server does not answer'
    default:
      return 'There is nothing to show yet'
  }
}

function ThemeIcon({ theme }: { readonly theme: string }): JSX.Element {
  return (
    <svg viewBox="0 0 16 16" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="1.500">
      <circle cx="8" cy="8" r="5.500" />
      {theme === 'automatic' && <path d="M8 2.500a5.500 5.500 0 0 1 0 11z" fill="currentColor" />}
      {theme === 'dark' && <circle cx="8" cy="8" r="5.500" fill="currentColor" />}
    </svg>
  )
}

/** Keys for what is done often; none while somebody writes. */
function onKey(event: KeyboardEvent, help: () => void): void {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]') !== null) return
  const { target, key } = event
  if (target instanceof HTMLInputElement || target instanceof HTMLSelectElement) {
    if (key === 'Escape') target.blur()
    return
  }
  const view = VIEWS[Number(key) - 1]
  if (view !== undefined) location.hash = `#/${view.name}`
  else if (key === 't') nextTheme()
  else if (key === '?') help()
  else if (key === 'p') {
    store.paused = !store.paused
    store.changed()
  } else if (key === '/') document.querySelector<HTMLElement>('input[type=search]')?.focus()
  else return
  event.preventDefault()
}

const KEYS: readonly (readonly [string, string])[] = [
  ['1 … 7', 'go to a view'],
  ['/', 'filter'],
  ['↑ ↓', 'from row to row'],
  ['Enter', 'open a row'],
  ['Esc', 'close, or leave the filter'],
  ['p', 'pause and go on'],
  ['t', 'light, dark, or as the system has it'],
]

function Help({ onClose }: { readonly onClose: () => void }): JSX.Element {
  return (
    <Sheet title="Keys" onClose={onClose}>
      <section>
        <dl class="keys">
          {KEYS.map(([key, what]) => (
            <>
              <dt>
                <kbd>{key}</kbd>
              </dt>
              <dd>{what}</dd>
            </>
          ))}
        </dl>
      </section>
    </Sheet>
  )
}

store.start()
render(<App />, document.getElementById('app')!)
