/**
 * `npm run test:deploy`: the image, the packages, the units and the manifests, built and run as far as the machine allows.
 * What it does not allow is skipped, and said. Needs, on Debian and as root,
 *
 *     apt-get install --no-install-recommends buildah debootstrap curl systemd dpkg golang-go \
 *       golang-github-masterminds-sprig-dev golang-k8s-sigs-yaml-dev uvicorn python3-fastapi python3-websockets
 *
 *     npm run test:deploy                 all of them
 *     npm run test:deploy -- image        only files whose name contains one of the words
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { fileURLToPath } from 'node:url'
import { testArguments } from './test-files.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const TEST_TIMEOUT_MS = 400_000

const words = process.argv.slice(2)
const files = fs
  .globSync('test/deploy/*.deploy.ts', { cwd: ROOT })
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
const built = spawnSync(process.execPath, ['scripts/build.ts'], { cwd: ROOT, stdio: 'inherit' })
if (built.status !== 0) process.exit(1)
const command = testArguments({ files, timeoutMs: TEST_TIMEOUT_MS, concurrency: 1 })
process.exitCode = spawnSync(process.execPath, command, { cwd: ROOT, stdio: 'inherit' }).status === 0 ? 0 : 1
