/** Runs tools in the test's own process, with a folder and a console of its own. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { runTool } from '../../src/tools/frame/run.ts'

/** What a run has said. */
interface Ran {
  readonly status: number | undefined
  readonly out: string
  readonly error: string
}

/** A folder that is removed at the end of the test's block. */
export class Workshop implements Disposable {
  readonly dir = fs.mkdtempSync(path.join(os.tmpdir(), 'viaduct-tools-'))

  constructor(files: Readonly<Record<string, string | Uint8Array>> = {}) {
    for (const [name, text] of Object.entries(files)) this.write(name, text)
  }

  write(name: string, text: string | Uint8Array): void {
    const file = path.join(this.dir, name)
    fs.mkdirSync(path.dirname(file), { recursive: true })
    fs.writeFileSync(file, text)
  }

  read(name: string): string {
    return fs.readFileSync(path.join(this.dir, name), 'utf8')
  }

  /** Runs `viaduct WORDS` with the folder as current one. */
  async run(words: readonly string[], input = '', answers: readonly string[] = []): Promise<Ran> {
    let out = ''
    let error = ''
    const left = [...answers]
    const status = await runTool(words, {
      out: (text) => {
        out += text
      },
      error: (text) => {
        error += text
      },
      input: async () => Buffer.from(input),
      ask: async () => left.shift(),
      colours: false,
      interactive: answers.length > 0,
      folder: this.dir,
      environment: {},
    })
    return { status, out, error }
  }

  [Symbol.dispose](): void {
    fs.rmSync(this.dir, { recursive: true, force: true })
  }
}
