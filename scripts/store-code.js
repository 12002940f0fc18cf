// Loaded before the program when it is built (stored-code.ts): has `vm.Script` compile without a cache, and at the end writes what V8
// has compiled by then to the file VIADUCT_CODE.
import fs from 'node:fs'
import v8 from 'node:v8'
import vm from 'node:vm'

const tag = v8.cachedDataVersionTag()
const scripts = []

vm.Script = class extends vm.Script {
  constructor(code, { cachedData: _, ...options }) {
    super(code, options)
    this.cachedDataRejected = false
    scripts.push(this)
  }
}

process.on('exit', () => {
  // Code is accepted under the flags only that it was written under, which are those of a thread that starts.
  v8.setFlagsFromString('--no-enable-experimental-regexp-engine-on-excessive-backtracks')
  v8.setFlagsFromString('--no-enable-experimental-regexp-engine')
  if (v8.cachedDataVersionTag() !== tag) throw new Error('build: the program sets flags of V8 that are not known here')
  fs.writeFileSync(process.env.VIADUCT_CODE, scripts[0].createCachedData())
})
