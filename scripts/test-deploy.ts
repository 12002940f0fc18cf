/** `npm run test:deploy`: the image, the packages, the units and the manifests, built and run as far as the machine allows. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { command } from './command.ts'
import { testArguments, testFiles } from './test-files.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const TEST_TIMEOUT_MS = 400_000

await command({
  called: 'npm run test:deploy',
  summary: 'the image, the packages, the units and the manifests, built and run',
  usage: ['[WORD ...]'],
  about: `All of them, or files whose path contains one of the words. What the machine does not allow is skipped, and said. Needs, on
Debian and as root,

apt-get install --no-install-recommends buildah debootstrap curl systemd dpkg golang-go \\
  golang-github-masterminds-sprig-dev golang-k8s-sigs-yaml-dev uvicorn python3-fastapi python3-websockets`,
  options: {},
  examples: [['image', 'only files that have "image" in their path']],
  run: (_, words) => {
    const files = testFiles('test/deploy/*.deploy.ts', words)
    const args = testArguments({ files, timeoutMs: TEST_TIMEOUT_MS, concurrency: 1 })
    return run('scripts/build.ts') && run(...args) ? 0 : 1
  },
})

function run(...args: readonly string[]): boolean {
  return spawnSync(process.execPath, args, { cwd: ROOT, stdio: 'inherit' }).status === 0
}
