#!/usr/bin/env node
// The command of the published package (as dist/bin/viaduct.js): checks the Node that runs it, which may be too old even
// to read the rest, and then becomes the server in this same process.
const NODE_MAJOR_MIN = 24

if (Number(process.versions.node.split('.')[0]) < NODE_MAJOR_MIN) {
  process.stderr.write(
    'viaduct: Node ' + NODE_MAJOR_MIN + ' or newer is needed, and this is ' + process.versions.node + ' (' + process.execPath + ').\n' +
    'Install a newer one (https://nodejs.org/), or let npm bring it: npm install node@' + NODE_MAJOR_MIN + ' beside viaduct.\n',
  )
  process.exit(1)
}

// Private parts of Node are used on purpose; processes that this one starts are to say nothing about it either.
process.noDeprecation = true
process.execArgv.push('--disable-warning=ExperimentalWarning', '--disable-warning=DEP0112')

Promise.all([import('node:fs'), import('node:module')]).then(([fs, { enableCompileCache }]) => {
  if (process.env.NODE_COMPILE_CACHE === undefined) {
    const folder = '/tmp/viaduct-code-' + process.geteuid()
    if (isOwn(fs, folder)) {
      process.env.NODE_COMPILE_CACHE = folder
      enableCompileCache(folder)
    }
  }
  return import('../main.js')
})

// Compiled code is kept between starts, which halves their time. The folder must be this user's own: whoever could write
// there could put code into the server.
function isOwn(fs, folder) {
  try {
    fs.mkdirSync(folder, { mode: 0o755 })
  } catch (_) {
    // It is there already, or the next question says no.
  }
  const status = fs.lstatSync(folder, { throwIfNoEntry: false })
  return status !== undefined && status.isDirectory() && status.uid === process.geteuid() && (status.mode & 0o022) === 0
}
