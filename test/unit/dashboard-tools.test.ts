/** `npm ci` in places where the page of the dashboard cannot be built. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

/** Vite is there, but the program for this system that its bundler needs is not. */
const BROKEN = `
import { registerHooks } from 'node:module'
registerHooks({
  resolve(name, context, next) {
    if (name === 'vite') throw new Error('Cannot find native binding. Try again')
    return next(name, context)
  },
})`

test('without optional packages the page is left out, and that is said', () => {
  const script = fileURLToPath(new URL('../../scripts/dashboard.ts', import.meta.url))
  const preload = `--import=data:text/javascript,${encodeURIComponent(BROKEN)}`
  const options = ['--disable-warning=ExperimentalWarning', preload, script]
  const { status, stderr } = spawnSync(process.execPath, [...options, '--if-tools'], { encoding: 'utf8' })
  const told = 'the dashboard is not built, since Vite cannot be loaded (Cannot find native binding); all else works\n'
  assert.equal(stderr, told)
  assert.equal(status, 0)
})
