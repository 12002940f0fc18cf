/** How the files of one location are reached. */
import type { CacheUse, OpenFileCache } from '../files/open-file-cache.ts'
import type { SymlinkMode } from '../files/symlinks.ts'
import type { Text } from './plan.ts'

/** How files of one location are reached. */
export interface FileAccess extends CacheUse {
  readonly cache: OpenFileCache | undefined
  readonly symlinks: SymlinkMode
  /** The part of paths that may have links. */
  readonly from: Text | undefined
}

/** What a location has that says nothing about files. */
export const PLAIN_ACCESS: FileAccess = {
  cache: undefined,
  validMs: 60000,
  minUses: 1,
  errors: false,
  symlinks: 'off',
  from: undefined,
}
