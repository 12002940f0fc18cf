/** A real Vite dev server behind both configurations: the page works, and an edit shows in it without a reload. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { after, before, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { BackEnd } from './back-ends.ts'
import { startBrowser } from './browser.ts'
import { startExample } from './example.ts'

const CONFIGURATIONS = ['dev.nginx', 'minimal.nginx'] as const

const running = new AsyncDisposableStack()
let api: BackEnd
let browser: Browser

before(async () => {
  api = running.use(await BackEnd.fastApi())
  browser = running.use(await startBrowser())
})
after(() => running.disposeAsync())

for (const configuration of CONFIGURATIONS) {
  test(`${configuration}: the page loads and changes in place`, async () => {
    await using vite = await BackEnd.vite()
    await using server = await startExample(configuration, api, vite)
    const page = await browser.newPage()
    const sockets: string[] = []
    const problems: string[] = []
    page.on('websocket', (socket) => sockets.push(socket.url()))
    page.on('pageerror', (error) => problems.push(String(error)))
    const connected = page.waitForEvent('console', (message) => message.text() === '[vite] connected.')
    await page.goto(server.url('/'))
    await connected

    await shows(page, '#message', 'Hello through Viaduct')
    await shows(page, '#items', 'arch')
    await shows(page, '#socket', 'over and out')
    await shows(page, '#event', 'hello')
    assert.ok(sockets.length >= 2, 'one WebSocket of the page and one of Vite')
    for (const url of sockets) assert.equal(new URL(url).host, `127.0.0.1:${server.port()}`, 'not past the server')

    await changesInPlace(page, vite)
    assert.deepEqual(problems, [])
    await page.close()
    assert.doesNotMatch(server.errorLog(), /\[(error|crit|alert)\]/)
  })
}

/** Edits a module and a style sheet, and sees both arrive in the page that was there before. */
async function changesInPlace(page: Page, vite: BackEnd): Promise<void> {
  await page.evaluate('window.kept = "as it was"')
  edit(`${vite.folder}/src/message.ts`, 'Hello through Viaduct', 'Changed in place')
  await shows(page, '#message', 'Changed in place')
  edit(`${vite.folder}/src/style.css`, 'rgb(31, 78, 121)', 'rgb(1, 2, 3)')
  await page.waitForFunction('getComputedStyle(document.getElementById("message")).color === "rgb(1, 2, 3)"')
  assert.equal(await page.evaluate('window.kept'), 'as it was', 'the page was not loaded again')
}

function edit(file: string, from: string, to: string): void {
  fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace(from, to))
}

function shows(page: Page, selector: string, text: string): Promise<unknown> {
  return page.locator(selector, { hasText: text }).waitFor()
}
