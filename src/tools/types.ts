/** `viaduct types`: the declarations that editors need for a configuration in TypeScript. */
import { modules } from '../modules/index.ts'
import { allDirectives, directiveObject } from './explain/directive.ts'
import { FINE, tool } from './frame/tool.ts'
import { ambientTypes } from './typed/library.ts'

/** The tool. */
export const types = tool({
  name: 'types',
  summary: 'the types of a configuration in TypeScript (viaduct.config.ts)',
  usage: ['> viaduct-config.d.ts', '--json'],
  about:
    'Prints declarations of viaduct/config, made from the directives: where each may stand and what it takes. A file such as\n\n' +
    "    import { events, http, listen, location, proxy_pass, server } from 'viaduct/config'\n" +
    "    export default [events(), http(server(listen(8080), location('/', proxy_pass('http://127.0.0.1:8000'))))]\n\n" +
    'runs with viaduct -c viaduct.config.ts, and viaduct dump -c viaduct.config.ts prints it as nginx.conf. Names that JavaScript\n' +
    'keeps for itself end in a line (return_, if_, break_); lines of map, geo or types are entry(...).',
  options: {
    json: { type: 'boolean', help: 'all directives as JSON: module, syntax, default, contexts, what they are for' },
  },
  words: [],
  examples: [
    ['> viaduct-config.d.ts', 'beside viaduct.config.ts, where the package is not installed'],
    ['--json', 'for programs that read or write configurations'],
  ],
  async run({ json }, _words, console) {
    if (json === true) console.out(`${JSON.stringify(allDirectives().map(directiveObject), undefined, 2)}\n`)
    else console.out(ambientTypes(modules))
    return FINE
  },
})
