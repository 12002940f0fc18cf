/**
 * Lays out an installed Viaduct in a folder, as the image and the Debian package have it. The Node that runs this is the one that
 * is packed.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { ToolFailure } from '../src/tools/frame/tool.ts'
import { command } from './command.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const HOME = 'usr/lib/viaduct'

await command({
  called: 'node scripts/package-tree.ts',
  summary: 'lays out an installed Viaduct in a folder',
  usage: ['[--image] FOLDER'],
  about: 'The program: /usr/lib/viaduct, /usr/sbin/viaduct. Needs `npm run build` before.',
  options: { image: { type: 'boolean', help: 'and what an image needs: /etc/nginx, html, entry point' } },
  examples: [['--image /tree', 'what the image is made of']],
  run: ({ image = false }, [folder, more]) => {
    if (folder === undefined || more !== undefined) throw new ToolFailure('it takes one folder')
    if (!fs.existsSync(path.join(ROOT, 'dist/main.js')))
      throw new ToolFailure("nothing is built: run 'npm run build' first")
    const target = path.resolve(folder)
    layOutProgram(target)
    if (image) layOutImage(target)
    return 0
  },
})

/** Copies files of the clone into a folder. */
function putter(target: string): (from: string, to: string) => void {
  return (from, to) => fs.cpSync(path.join(ROOT, from), path.join(target, to), { recursive: true, dereference: true })
}

function layOutProgram(target: string): void {
  const put = putter(target)
  for (const name of ['dist', 'conf', 'docs/explained', 'LICENSE', 'package.json']) put(name, `${HOME}/${name}`)
  productionDependencies(put)
  fs.mkdirSync(path.join(target, HOME, 'bin'), { recursive: true })
  fs.copyFileSync(fs.realpathSync(process.execPath), path.join(target, HOME, 'bin/node'))
  // Symbols of the binary are a sixth of it; where there is no strip, they stay.
  spawnSync('strip', ['--strip-unneeded', path.join(target, HOME, 'bin/node')])
  put('deploy/image/launcher.sh', 'usr/sbin/viaduct')
}

/** What package.json names as needed while serving, with what that needs. */
function productionDependencies(put: (from: string, to: string) => void): void {
  const packed = new Set<string>()
  const pack = (folder: string): void => {
    const { dependencies, optionalDependencies } = JSON.parse(
      fs.readFileSync(path.join(ROOT, folder, 'package.json'), 'utf8'),
    ) as Record<'dependencies' | 'optionalDependencies', Record<string, string> | undefined>
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      const place = `node_modules/${name}`
      if (packed.has(name) || !fs.existsSync(path.join(ROOT, place))) continue
      packed.add(name)
      put(place, `${HOME}/${place}`)
      pack(place)
    }
  }
  pack('.')
}

function layOutImage(target: string): void {
  const put = putter(target)
  put('deploy/image/docker-entrypoint.sh', 'docker-entrypoint.sh')
  put('deploy/image/watch-configuration.sh', 'watch-configuration.sh')
  put('deploy/image/docker-entrypoint.d', 'docker-entrypoint.d')
  put('deploy/image/etc', 'etc/nginx')
  put('deploy/image/etc/conf.d/default.conf', `${HOME}/image/default.conf`)
  put('deploy/image/healthy.js', `${HOME}/image/healthy.js`)
  put('deploy/image/html', 'usr/share/nginx/html')
  for (const name of fs.readdirSync(path.join(ROOT, 'conf'))) {
    if (name !== 'nginx.conf') put(`conf/${name}`, `etc/nginx/${name}`)
  }
  put('deploy/image/launcher.sh', 'usr/sbin/nginx')
  for (const name of ['var/cache/nginx', 'var/log/nginx']) fs.mkdirSync(path.join(target, name), { recursive: true })
  // Logs go to whoever runs the container.
  fs.symlinkSync('/dev/stdout', path.join(target, 'var/log/nginx/access.log'))
  fs.symlinkSync('/dev/stderr', path.join(target, 'var/log/nginx/error.log'))
}
