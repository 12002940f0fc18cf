/**
 * What the program says about itself. `-V` is read by programs that decide by it what to use or test, so the lists name
 * only what works: `WITH` the optional parts that are there, `WITHOUT` the parts on by default in nginx that are not.
 */
import { canWorkOnPictures } from '../lib/pictures.ts'

/** Optional parts of nginx that work, as its configure script names them. */
export function withParts(): string[] {
  return canWorkOnPictures() ? [...WITH, '--with-http_image_filter_module'] : [...WITH]
}

const WITH: readonly string[] = [
  '--with-compat',
  '--with-debug',
  '--with-threads',
  '--with-http_addition_module',
  '--with-http_auth_request_module',
  '--with-http_dav_module',
  '--with-http_flv_module',
  '--with-http_gunzip_module',
  '--with-http_gzip_static_module',
  '--with-http_mp4_module',
  '--with-http_random_index_module',
  '--with-http_realip_module',
  '--with-http_secure_link_module',
  '--with-http_slice_module',
  '--with-http_ssl_module',
  '--with-http_stub_status_module',
  '--with-http_sub_module',
  '--with-http_v2_module',
]

/** Parts that nginx has by default and that do not work here. */
export const WITHOUT: readonly string[] = [
  '--without-mail_pop3_module',
  '--without-mail_imap_module',
  '--without-mail_smtp_module',
]
