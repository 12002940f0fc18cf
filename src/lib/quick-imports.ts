/**
 * Makes the many files of a clone load in two thirds of the time: where `./x.ts` is needs no search, since it is named as
 * it is. To be called in a thread before anything else is imported. The published package has few files and no need of it.
 */
import { registerHooks } from 'node:module'

/** Registers the short way for relative names of TypeScript files. */
export function quickenImports(): void {
  if (!import.meta.url.endsWith('.ts')) return
  registerHooks({
    resolve(name, context, next) {
      if (!name.startsWith('.') || !name.endsWith('.ts')) return next(name, context)
      return { url: new URL(name, context.parentURL).href, format: 'module-typescript', shortCircuit: true }
    },
  })
}
