/** `viaduct init`: the configuration files of an application, for what it is found to be made of. */
import fs from 'node:fs'
import path from 'node:path'
import { formatText } from './fmt.ts'
import { writeText } from './frame/files.ts'
import { type Console, FINE, ToolFailure, tool } from './frame/tool.ts'
import { composeFile, systemdUnit } from './init/deploy.ts'
import { detect, type Project } from './init/detect.ts'
import { devConf, httpConf, type InitOptions, prodConf } from './init/files.ts'

const TARGETS = ['compose', 'systemd'] as const

/** The tool. */
export const init = tool({
  name: 'init',
  summary: 'writes the configuration of an application: development and production',
  usage: ['[FOLDER] [--yes] [--domain NAME] [--target compose|systemd]'],
  about:
    'Looks for Vite, Next, Express, FastAPI, Django, Flask, PHP and Go, and writes conf/nginx/http.conf (shared), dev.nginx and\n' +
    'prod.nginx, with a Compose file or a systemd unit. Asks at a terminal; --yes takes what it proposes.',
  options: {
    yes: { type: 'boolean', short: 'y', help: 'ask nothing' },
    domain: { type: 'string', value: 'NAME', help: 'serve HTTPS for this name in production' },
    target: {
      type: 'string',
      value: 'TARGET',
      choices: TARGETS,
      help: 'what production is: compose (default) or systemd',
    },
    'upload-limit': { type: 'string', value: 'SIZE', help: 'largest request body (10m)' },
    port: { type: 'string', value: 'PORT', help: 'port for development (8080)' },
    force: { type: 'boolean', short: 'f', help: 'replace files that exist' },
    print: { type: 'boolean', help: 'write nothing, print the files' },
    json: { type: 'boolean', help: 'what was found and the files, as JSON; with --print nothing is written' },
  },
  words: 'folders',
  examples: [
    ['', 'look at the current folder, and ask'],
    ['--yes', 'take what is proposed'],
    ['--yes --domain example.com --target systemd', 'HTTPS, without containers'],
  ],
  async run(values, [word = '.', ...more], console) {
    if (more.length > 0) throw new ToolFailure('one folder at a time')
    const root = path.resolve(console.folder, word)
    if (!fs.existsSync(root)) throw new ToolFailure(`there is no folder "${root}"`)
    const project = detect(root)
    if (project.backend === undefined && project.frontend === undefined) {
      throw new ToolFailure(
        `nothing is known of what is in "${root}"`,
        'it looks for package.json, pyproject.toml, requirements.txt, composer.json, go.mod, index.html',
      )
    }
    console.error(`Found: ${describe(project)}\n`)
    const asks = values.yes !== true && values.print !== true && console.interactive
    const domain = domainIn(
      values.domain ?? (asks ? await console.ask('Domain for HTTPS in production (empty: plain HTTP): ') : undefined),
    )
    const target = targetIn(
      values.target ?? (asks ? await console.ask('Production by compose or systemd? [compose] ') : undefined),
    )
    const options = { domain, target, uploadLimit: values['upload-limit'] ?? '10m', devPort: portIn(values.port) }
    const files = filesOf(project, options, root)
    const json = JSON.stringify({ found: project, files: Object.fromEntries(files) }, undefined, 2)
    if (values.print === true && values.json === true) {
      console.out(`${json}\n`)
      return FINE
    }
    if (values.print === true) {
      for (const [name, text] of files) console.out(`# ${name}\n${text}\n`)
      return FINE
    }
    write(files, root, values.force === true, console)
    console.out(values.json === true ? `${json}\n` : nextSteps(project, options))
    return FINE
  },
})

function filesOf(project: Project, options: InitOptions, root: string): (readonly [string, string])[] {
  const compose = ['compose.yaml', 'docker-compose.yml', 'compose.yml', 'docker-compose.yaml'].some((name) =>
    fs.existsSync(path.join(root, name)),
  )
  return [
    ['conf/nginx/http.conf', httpConf(project)],
    ['conf/nginx/dev.nginx', devConf(project, options)],
    ['conf/nginx/prod.nginx', formatText(prodConf(project, options), 'prod.nginx', { indent: '    ' })],
    options.target === 'compose'
      ? [compose ? 'compose.viaduct.yaml' : 'compose.yaml', composeFile(project, options)]
      : [`conf/${project.name}.service`, systemdUnit(project, root)],
  ]
}

function write(files: readonly (readonly [string, string])[], root: string, force: boolean, console: Console): void {
  const there = files.map(([name]) => name).filter((name) => fs.existsSync(path.join(root, name)))
  if (there.length > 0 && !force)
    throw new ToolFailure(
      `${there.join(', ')} exist${there.length === 1 ? 's' : ''} already`,
      '--force replaces them, --print only shows what would be written',
    )
  for (const [name, text] of files) {
    const full = path.join(root, name)
    writeText(full, text)
    console.error(`wrote ${name}\n`)
  }
}

function describe({ backend, frontend }: Project): string {
  const place = (folder: string): string => (folder === '.' ? '' : ` in ${folder}/`)
  const parts = [
    frontend === undefined
      ? undefined
      : `${frontend.kind === 'Vite' ? 'a Vite application' : 'pages'}${place(frontend.folder)}`,
    backend === undefined ? undefined : `${backend.kind}${place(backend.folder)}`,
  ]
  return parts.filter((part) => part !== undefined).join(', ')
}

function nextSteps({ backend, frontend }: Project, { devPort, target }: InitOptions): string {
  const starts = [
    ...(backend === undefined ? [] : [`  (cd ${backend.folder} && ${backend.command}) &`]),
    ...(frontend?.kind === 'Vite' ? [`  (cd ${frontend.folder} && npx vite) &`] : []),
  ]
  return `${[
    '',
    'Develop:',
    ...starts,
    '  viaduct -c conf/nginx/dev.nginx',
    `  http://localhost:${devPort}/`,
    '',
    'Check, and go into production:',
    '  viaduct lint conf/nginx/prod.nginx',
    target === 'compose' ? '  docker compose up --build' : '  see the first lines of the unit in conf/',
  ].join('\n')}\n`
}

function domainIn(word: string | undefined): string | undefined {
  if (word === undefined || word.trim() === '') return undefined
  if (!/^[a-z0-9-]+(?:\.[a-z0-9-]+)+$/i.test(word.trim()))
    throw new ToolFailure(`"${word}" is no domain`, 'for example --domain example.com')
  return word.trim().toLowerCase()
}

function targetIn(word = 'compose'): (typeof TARGETS)[number] {
  const found = TARGETS.find((target) => target === (word.trim() || 'compose'))
  if (found === undefined) throw new ToolFailure(`there is no target "${word}"`, `targets are ${TARGETS.join(', ')}`)
  return found
}

function portIn(word = '8080'): number {
  const port = Number(word)
  if (!Number.isInteger(port) || port < 1 || port > 65535)
    throw new ToolFailure(`--port takes a number up to 65535, not "${word}"`)
  return port
}
