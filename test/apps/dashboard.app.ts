/** The dashboard in a browser: what it shows, what can be done with it, by whom, on which screens, and when the server is away. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import axe from 'axe-core'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { buildDashboard } from '../../scripts/dashboard.ts'
import { Peer, reply } from '../harness/peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'
import { startBrowser } from './browser.ts'

const VIEWS = ['overview', 'zones', 'upstreams', 'caches', 'limits', 'requests', 'system'] as const
const PHONE = { width: 390, height: 844 }
const DESKTOP = { width: 1360, height: 860 }
const SERVERS = 500

let browser: Browser
let peer: Peer

before(async () => {
  await buildDashboard()
  browser = await startBrowser()
  peer = await Peer.start(({ line }) => (/missing/.test(line) ? reply('no', [], '404 Not Found') : reply('yes')))
})
after(async () => {
  await browser.close()
  await peer[Symbol.asyncDispose]()
})

/** A server with something for each view; `listen` is its port, any free one unless given. */
function start(api = 'api write=on;', more = '', listen = '%%PORT_0%%'): Promise<Server> {
  const { port } = peer
  const conf = `
worker_processes 2;
http {
  status_top on;
  status_requests 100%;
  proxy_cache_path %%DIR%%/cache keys_zone=pages:1m;
  limit_req_zone $binary_remote_addr zone=by_client:1m rate=1r/s;
  resolver 127.0.0.1 status_zone=names;
  upstream shop { zone shop 64k; server 127.0.0.1:${port}; server 127.0.0.1:${port} weight=2; server 127.0.0.1:${port} backup; }
  ${more}
  server {
    listen 127.0.0.1:${listen};
    status_zone site;
    location / { status_zone pages; proxy_pass http://shop; }
    location /cached { proxy_cache pages; proxy_cache_valid 1h; proxy_pass http://shop; }
    location /limited { limit_req zone=by_client; proxy_pass http://shop; }
    location /api/ { ${api} }
    location = /dashboard.html { dashboard; }
  }
}`
  return startViaduct(conf, { busyAtEnd: 'the browser', files: { users: 'ann:{PLAIN}secret\n' } })
}

/** A page that fails the test when it has an error, breaks its policy or asks another server. */
async function open(
  server: Server,
  view: string,
  options: BrowserContextOptions = {},
  asked: (url: string) => void = () => {},
): Promise<Page> {
  const page = await browser.newPage({ viewport: DESKTOP, ...options })
  const origin = server.url('/')
  page.setDefaultTimeout(20_000)
  page.on('pageerror', (error) => assert.fail(error))
  page.on('console', (message) => {
    // What is tested.
    if (!/status of (?:4\d\d|502)|net::ERR_/.test(message.text())) assert.fail(message.text())
  })
  page.on('request', (request) => {
    assert.ok(request.url().startsWith(origin) || request.url().startsWith('data:'), request.url())
    asked(request.url())
  })
  await page.goto(server.url(`/dashboard.html#/${view}`))
  return page
}

/** Sends requests until the test ends. */
function load(server: Server, paths: readonly string[]): Disposable {
  let ended = false
  const one = async (): Promise<void> => {
    for (let i = 0; !ended; i++) {
      const response = await fetch(server.url(paths[i % paths.length]!)).catch(() => undefined)
      await response?.text()
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  void one()
  return {
    [Symbol.dispose]: () => {
      ended = true
    },
  }
}

/** Waits until an expression holds in the page, whose policy keeps Playwright from doing that by itself. */
async function until(page: Page, expression: string): Promise<void> {
  for (const end = Date.now() + 20_000; Date.now() < end; await page.waitForTimeout(100)) {
    if (await page.evaluate(expression)) return
  }
  assert.fail(`${expression} does not hold: ${await page.textContent('#app')}`)
}

/** What axe-core has to say about the page. */
async function violations(page: Page): Promise<string[]> {
  // The policy of the page forbids scripts in it; what the debugger runs is not asked.
  await page.evaluate(axe.source)
  const found = (await page.evaluate(`axe.run(document, { resultTypes: ['violations'] })`)) as {
    violations: { id: string; nodes: { html: string; failureSummary: string }[] }[]
  }
  return found.violations.map(({ id, nodes }) => `${id}: ${nodes[0]!.html} ${nodes[0]!.failureSummary}`)
}

/** Waits until the page has drawn what the API told. */
async function drawn(page: Page): Promise<void> {
  await page.locator('main .card, main .note').first().waitFor()
}

test('requests and back ends are live', async () => {
  await using server = await start()
  using _ = load(server, ['/a', '/missing'])
  const page = await open(server, 'overview')
  const value = page.getByLabel('Requests', { exact: true }).locator('.value')
  await until(page, `parseFloat(document.querySelector('[aria-label="Requests"] .value')?.textContent) > 1`)
  assert.match((await value.textContent())!, /^[\d.]+\/s$/)
  await page.getByRole('link', { name: /^Back ends/ }).click()
  assert.equal(await page.getByRole('button', { name: `127.0.0.1:${peer.port}` }).count(), 3)
  await until(
    page,

    `[...document.querySelectorAll('tbody tr.open')].some((row) => row.children[3].textContent > 0)`,
  )
  await page.keyboard.press('6')
  await page.getByRole('button', { name: 'GET /missing' }).first().waitFor()
  await page.getByLabel('Status').selectOption('4')
  await until(
    page,

    `[...document.querySelectorAll('.rowname')].every((row) => row.textContent === 'GET /missing')`,
  )
  await page.getByText('404 /missing').waitFor()
  assert.ok(!(await page.textContent('main'))!.includes('/api/9'))
  await page.close()
})

for (const colorScheme of ['light', 'dark'] as const) {
  for (const viewport of [PHONE, DESKTOP]) {
    test(`everybody can use it: ${colorScheme}, ${viewport.width} pixels`, async () => {
      await using server = await start()
      for (const path of ['/a', '/missing', '/cached', '/cached', '/limited', '/limited']) await fetch(server.url(path))
      const page = await open(server, VIEWS[0], { colorScheme, viewport, reducedMotion: 'reduce' })
      for (const view of VIEWS) {
        await page.goto(server.url(`/dashboard.html#/${view}`))
        await drawn(page)
        if (view === 'system') await page.getByRole('rowheader', { name: 'names' }).waitFor()
        assert.deepEqual(await violations(page), [], view)
        const wide = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')
        assert.equal(wide, 0, `${view} scrolls sideways`)
        const row = page.locator('.rowname').first()
        if ((await row.count()) === 0) continue
        await row.click()
        await page.getByRole('dialog').waitFor()
        assert.deepEqual(await violations(page), [], `a row of ${view}`)
        await page.keyboard.press('Escape')
        await page.getByRole('dialog').waitFor({ state: 'detached' })
      }
      await page.close()
    })
  }
}

test('servers are drained, taken down and weighted by keys alone', async () => {
  await using server = await start()
  const page = await open(server, 'overview')
  await drawn(page)
  const focused = () => page.evaluate('document.activeElement.textContent') as Promise<string>
  const stateOf = async (id: number) => {
    const response = await fetch(server.url(`/api/9/http/upstreams/shop/`))
    const { peers } = (await response.json()) as { peers: { state: string; weight: number }[] }
    return peers[id]!
  }
  await page.keyboard.press('3')
  await page
    .getByRole('button', { name: `127.0.0.1:${peer.port}` })
    .first()
    .waitFor()
  await page.getByText('allowed').waitFor({ state: 'attached' })
  await page.keyboard.press('/')
  await page.keyboard.type('shop')
  await page.keyboard.press('Escape')
  for (let i = 0; i < 40 && !(await focused()).startsWith('127.0.0.1:'); i++) await page.keyboard.press('Tab')
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('Enter')
  const dialog = page.getByRole('dialog')
  await dialog.waitFor()
  const press = async (name: string): Promise<void> => {
    await until(
      page,

      `[...document.querySelectorAll('dialog button')].some((b) => b.textContent === '${name}' && !b.disabled)`,
    )
    for (let i = 0; i < 20 && (await focused()) !== name; i++) await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
  }
  await press('Drain')
  await dialog.getByText('draining').first().waitFor()
  assert.equal((await stateOf(1)).state, 'draining')
  await press('Put into use')
  await dialog.getByText('It is in use again.').waitFor()
  await press('Take down')
  await dialog.getByText('It gets no requests any more.').waitFor()
  assert.equal((await stateOf(1)).state, 'down')
  await dialog.getByLabel('Weight').focus()
  await page.keyboard.press('Control+A')
  await page.keyboard.type('7')
  await page.keyboard.press('Enter')
  await dialog.getByText('The weight is 7.').waitFor()
  assert.equal((await stateOf(1)).weight, 7)
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'detached' })
  assert.ok((await focused()).startsWith('127.0.0.1:'), 'the focus comes back to the row')
  await page.close()
})

test('servers are added and removed', async () => {
  await using server = await start()
  const page = await open(server, 'upstreams')
  const listed = async () => {
    const response = await fetch(server.url('/api/9/http/upstreams/shop/servers'))
    return (await response.json()) as { id: number; server: string; weight: number; down: boolean }[]
  }
  await page.getByRole('button', { name: 'Add a server' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Address').fill('nonsense:x')
  assert.deepEqual(await violations(page), [])
  await dialog.getByRole('button', { name: 'Add', exact: true }).click()
  await dialog.getByText(/^It was refused: /).waitFor()
  await dialog.getByLabel('Address').fill('127.0.0.1:9')
  await dialog.getByLabel('Weight').fill('4')
  await dialog.getByLabel('Not in use yet').check()
  await dialog.getByRole('button', { name: 'Add', exact: true }).click()
  await dialog.getByText('127.0.0.1:9 is in shop.').waitFor()
  const added = (await listed()).find((line) => line.server === '127.0.0.1:9')!
  assert.deepEqual([added.weight, added.down], [4, true])
  await page.keyboard.press('Escape')
  await page.getByRole('button', { name: '127.0.0.1:9', exact: true }).click()
  await dialog.getByRole('button', { name: 'Remove …' }).click()
  await dialog.getByRole('button', { name: 'Keep it' }).click()
  await dialog.getByRole('button', { name: 'Remove …' }).click()
  assert.deepEqual(await violations(page), [])
  await dialog.getByRole('button', { name: 'Remove it from the group' }).click()
  await dialog.waitFor({ state: 'detached' })
  assert.equal((await listed()).length, 3)
  await page.getByRole('button', { name: '127.0.0.1:9', exact: true }).waitFor({ state: 'detached' })
  await page.close()
})

test('what was before the page was opened is there', async () => {
  await using server = await start(
    'api write=on;',
    `
  upstream ill { zone ill 64k; server 127.0.0.1:1; }
  server { listen 127.0.0.1:%%PORT_1%%; location / { proxy_pass http://ill; health_check interval=50ms; } }`,
  )
  const history = async () =>
    (await (await fetch(server.url('/api/viaduct/history'))).json()) as { at: number[]; requests: number[] }
  for (let n = 0; n < 5; n++) await fetch(server.url('/a'))
  await server.until('there is a history', async () => (await history()).at.length >= 5)
  const asked: string[] = []
  const page = await open(server, 'overview', {}, (url) => asked.push(new URL(url).pathname))
  await drawn(page)
  // The page, which has just come to life, could not have seen so much itself.
  const points = await page.getByLabel('Connections', { exact: true }).locator('.spark .area').getAttribute('d')
  assert.ok(points!.split(/[ML]/).length >= 5, points!)
  await page.getByRole('link', { name: /^Back ends/ }).click()
  await page.getByRole('button', { name: '127.0.0.1:1', exact: true }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByText(/unhealthy since .+/).waitFor()
  await dialog.getByText(/up from /).waitFor()
  await dialog.getByRole('img', { name: /^The last \d+ checks, \d+ failed$/ }).waitFor()
  const own = asked.filter((path) => path.startsWith('/api/'))
  assert.deepEqual([...new Set(own)], ['/api/viaduct/many'], 'one question for all of it')
  await page.close()
})

test('without write access nothing can be changed', async () => {
  await using server = await start('api;')
  const page = await open(server, 'upstreams')
  await page.locator('.rowname').first().click()
  const dialog = page.getByRole('dialog')
  await dialog.getByText('Servers cannot be changed from here').waitFor()
  assert.equal(await dialog.getByRole('button', { name: 'Drain' }).count(), 0)
  assert.equal(await page.getByRole('button', { name: 'Add a server' }).count(), 0)
  await page.getByText('read only').waitFor({ state: 'attached' })
  await page.close()
})

test('who may not see it is told so', async () => {
  {
    await using server = await start('deny all; api;')
    const page = await open(server, 'overview')
    await page.getByRole('heading', { name: 'You may not see this' }).waitFor()
    assert.deepEqual(await violations(page), [])
    await page.close()
  }
  {
    await using server = await start('return 401;')
    const page = await open(server, 'overview')
    await page.getByRole('heading', { name: 'Log in to see what the server does' }).waitFor()
    await page.close()
  }
  await using server = await start('auth_basic api; auth_basic_user_file users; api write=on;')
  const ann = await open(server, 'overview', { httpCredentials: { username: 'ann', password: 'secret' } })
  await ann.getByRole('heading', { name: 'Requests per second' }).waitFor()
  await ann.getByText('allowed').waitFor({ state: 'attached' })
  await ann.close()
})

test('what is empty says which lines would fill it', async () => {
  const conf = `http { server { listen 127.0.0.1:%%PORT_0%%; location /api/ { api; } location = /dashboard.html { dashboard; } } }`
  await using server = await startViaduct(conf, { busyAtEnd: 'the browser' })
  const page = await open(server, 'overview')
  const lines: readonly [view: string, line: string][] = [
    ['overview', 'status_zone site;'],
    ['zones', 'status_zone shop;'],
    ['upstreams', 'zone shop 64k;'],
    ['caches', 'proxy_cache_path'],
    ['limits', 'limit_req_zone'],
    ['requests', 'status_requests 1%'],
    ['requests', 'status_top on;'],
    ['system', 'ssl_certificate_key'],
  ]
  for (const [view, line] of lines) {
    await page.goto(server.url(`/dashboard.html#/${view}`))
    await page.locator('.empty pre').filter({ hasText: line }).waitFor()
    assert.deepEqual(await violations(page), [], view)
  }
  await page.close()
})

test('without an API it says how to have one', async () => {
  const conf = `http { server { listen 127.0.0.1:%%PORT_0%%; location = /dashboard.html { dashboard; } } }`
  await using server = await startViaduct(conf, { busyAtEnd: 'the browser' })
  const page = await open(server, 'overview')
  await page.getByText('There is no API at').waitFor()
  assert.match((await page.textContent('.gate pre'))!, /location \/api\/ \{\n +api;/)
  await page.close()
})

test('a server that goes away comes back', async () => {
  await using running = new AsyncDisposableStack()
  const server = await start()
  running.defer(() => server.stop('SIGTERM').then(() => undefined))
  const page = await open(server, 'overview')
  await drawn(page)
  const port = server.port()
  await page.context().setOffline(true)
  await page.getByText('The server does not answer.').waitFor()
  assert.ok(await page.getByLabel('Requests', { exact: true }).isVisible(), 'what was known stays')
  assert.deepEqual(await violations(page), [])
  await page.context().setOffline(false)
  await page.getByText('The server does not answer.').waitFor({ state: 'detached' })
  // And another process, whose counts begin anew.
  await server.stop('SIGTERM')
  await page.getByText('The server does not answer.').waitFor()
  await using _next = await start('api write=on;', '', String(port))
  await fetch(`http://127.0.0.1:${port}/a`)
  await page.getByText('The server does not answer.').waitFor({ state: 'detached' })
  await page.getByText('Live', { exact: true }).waitFor()
  assert.doesNotMatch((await page.textContent('main'))!, /NaN|undefined|Infinity|-\d+ ?\/s/)
  await page.close()
})

test(`${SERVERS} servers stay fluid`, async () => {
  const groups = Array.from({ length: SERVERS / 50 }, (_, group) => {
    const servers = Array.from({ length: 50 }, (_, n) => `server 10.${group}.0.${n + 1};`)
    return `upstream group-${group} { zone group-${group} 256k; ${servers.join(' ')} }`
  })
  await using server = await start('api write=on;', groups.join('\n'))
  const page = await open(server, 'upstreams')
  await page.getByText(`${SERVERS + 3} servers`).waitFor()
  const rows = () => page.locator('tbody tr').count()
  assert.ok((await rows()) < 120, `${await rows()} rows are in the page`)
  // The longest time between two pictures while somebody scrolls to the end and answers come in.
  const worst = (await page.evaluate(`new Promise((resolve) => {
    const began = performance.now()
    const gaps = []
    let before = began
    const step = (now) => {
      gaps.push(now - before)
      before = now
      scrollBy(0, 150)
      if (now - began < 4000) requestAnimationFrame(step)
      else resolve(gaps.toSorted((a, b) => a - b)[Math.floor(gaps.length * 0.9)])
    }
    requestAnimationFrame(step)
  })`)) as number
  assert.ok(worst < 200, `nine of ten pictures took up to ${worst} ms`)
  await page.evaluate('scrollTo(0, document.documentElement.scrollHeight)')
  await page.getByRole('button', { name: '10.9.0.50' }).waitFor()
  await page.getByLabel('Filter by group or server').fill('group-7')
  await page.getByText('50 servers', { exact: true }).waitFor()
  await page.getByRole('button', { name: '10.7.0.1:80' }).waitFor()
  await page.getByLabel('Filter by group or server').fill('10.3.0.41')
  await page.getByRole('button', { name: '10.3.0.41' }).click()
  await page.getByRole('dialog').getByText('group-3').first().waitFor()
  await page.close()
})

test('colours are chosen and remembered', async () => {
  await using server = await start()
  const page = await open(server, 'overview', { colorScheme: 'light' })
  await drawn(page)
  const background = () => page.evaluate('getComputedStyle(document.body).backgroundColor')
  const light = await background()
  await page.keyboard.press('t')
  await page.keyboard.press('t')
  const dark = await background()
  assert.notEqual(dark, light)
  await page.reload()
  await drawn(page)
  assert.equal(await background(), dark)
  await page.close()
})
