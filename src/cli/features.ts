/**
 * What the program says about itself. `-V` is read by programs that decide by it what to use or test, so the lists name
 * only what works: `WITH` the optional parts that are there, `WITHOUT` the parts on by default in nginx that are not.
 */

/** The nginx release whose behaviour and configuration this one has; banners and notices name it. */
export const NGINX_VERSION = '1.31.5'

/** Optional parts of nginx that work, as its configure script names them. */
export const WITH: readonly string[] = ['--with-compat', '--with-debug', '--with-threads']

/** Parts that nginx has by default and that do not work here. */
export const WITHOUT: readonly string[] = []
