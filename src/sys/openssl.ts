/**
 * OpenSSL's functions, those of the library that the node binary has within and exports. Addresses are numbers here, 0 is
 * none: they fit, and cost a third of what big integers cost. Nobody but ssl.ts and ssl-context.ts, which own what is made
 * by them, uses these.
 */
import { foreigner } from './foreign.ts'

/** `i`: int; `l`: long, size or address; `u`: unsigned long. The result stands first. Macros are calls of `*_ctrl`. */
const FUNCTIONS = {
  // The thread's errors.
  ERR_clear_error: 'i',
  ERR_peek_error: 'u',
  ERR_get_error_all: 'ulllll',
  ERR_error_string_n: 'iull',
  // Buffers.
  BIO_s_mem: 'l',
  BIO_new: 'll',
  BIO_new_mem_buf: 'lli',
  BIO_up_ref: 'il',
  BIO_free: 'il',
  BIO_ctrl: 'llill',
  BIO_set_flags: 'ili',
  BIO_ctrl_pending: 'll',
  BIO_read: 'illi',
  BIO_write: 'illi',
  // Contexts.
  TLS_method: 'l',
  SSL_CTX_new: 'll',
  SSL_CTX_free: 'il',
  SSL_CTX_ctrl: 'llill',
  SSL_CTX_callback_ctrl: 'llil',
  SSL_CTX_set_options: 'lll',
  SSL_CTX_clear_options: 'lll',
  SSL_CTX_set_cipher_list: 'ill',
  SSL_CTX_set_ciphersuites: 'ill',
  SSL_CTX_use_certificate: 'ill',
  SSL_CTX_use_PrivateKey: 'ill',
  SSL_CTX_set0_tmp_dh_pkey: 'ill',
  SSL_CTX_set1_cert_comp_preference: 'illl',
  SSL_CTX_compress_certs: 'ili',
  SSL_CTX_set_session_id_context: 'illi',
  SSL_CTX_set_timeout: 'lll',
  SSL_CTX_get_timeout: 'll',
  SSL_CTX_sess_set_new_cb: 'ill',
  SSL_CTX_sess_set_get_cb: 'ill',
  SSL_CTX_set_alpn_select_cb: 'illl',
  SSL_CTX_set_keylog_callback: 'ill',
  SSL_CTX_set_max_early_data: 'ilu',
  SSL_CONF_CTX_new: 'l',
  SSL_CONF_CTX_set_flags: 'ill',
  SSL_CONF_CTX_set_ssl_ctx: 'ill',
  SSL_CONF_CTX_finish: 'il',
  SSL_CONF_CTX_free: 'il',
  SSL_CONF_cmd: 'illl',
  SSL_CTX_get_cert_store: 'll',
  SSL_CTX_add_client_CA: 'ill',
  // Certificates and keys.
  PEM_read_bio_X509_AUX: 'lllll',
  PEM_read_bio_X509_CRL: 'lllll',
  PEM_read_bio_PrivateKey: 'lllll',
  PEM_read_bio_Parameters: 'lll',
  EVP_PKEY_free: 'il',
  EVP_PKEY_set_type: 'ili',
  X509_free: 'il',
  X509_CRL_free: 'il',
  X509_STORE_add_cert: 'ill',
  X509_STORE_add_crl: 'ill',
  X509_STORE_set_flags: 'ilu',
  X509_STORE_CTX_new: 'l',
  X509_STORE_CTX_init: 'illll',
  X509_STORE_CTX_free: 'il',
  X509_STORE_CTX_get0_chain: 'll',
  X509_verify_cert: 'il',
  X509_verify_cert_error_string: 'll',
  OPENSSL_sk_num: 'il',
  OPENSSL_sk_value: 'lli',
  i2d_X509: 'ill',
  // Connections.
  SSL_new: 'll',
  SSL_free: 'il',
  SSL_set_bio: 'illl',
  SSL_set_connect_state: 'il',
  SSL_set_verify: 'ilil',
  SSL_set_alpn_protos: 'illl',
  SSL_ctrl: 'llill',
  SSL_accept: 'il',
  SSL_do_handshake: 'il',
  SSL_read: 'illi',
  SSL_write: 'illi',
  SSL_read_early_data: 'illll',
  SSL_write_early_data: 'illll',
  SSL_shutdown: 'il',
  SSL_get_error: 'ili',
  SSL_is_init_finished: 'il',
  SSL_version: 'il',
  SSL_get_version: 'll',
  SSL_get_current_cipher: 'll',
  SSL_CIPHER_get_name: 'll',
  SSL_session_reused: 'il',
  SSL_get_certificate: 'll',
  SSL_get0_peer_certificate: 'll',
  SSL_get_peer_cert_chain: 'll',
  SSL_get0_verified_chain: 'll',
  SSL_get_verify_result: 'll',
  SSL_get0_alpn_selected: 'illl',
  // Sessions and their tickets.
  SSL_get_session: 'll',
  SSL_set_session: 'ill',
  SSL_SESSION_free: 'il',
  SSL_SESSION_get_id: 'lll',
  SSL_SESSION_get_time: 'll',
  SSL_SESSION_set_time: 'lll',
  SSL_SESSION_get_timeout: 'll',
  SSL_SESSION_set_timeout: 'lll',
  d2i_SSL_SESSION: 'llll',
  i2d_SSL_SESSION: 'ill',
  RAND_bytes: 'ili',
  EVP_MD_fetch: 'llll',
  EVP_CIPHER_fetch: 'llll',
  EVP_EncryptInit_ex: 'illlll',
  EVP_DecryptInit_ex: 'illlll',
  HMAC_Init_ex: 'illill',
  // Memory.
  CRYPTO_malloc: 'llli',
  memcpy: 'llll',
  strlen: 'll',
} as const

const TYPES: Readonly<Record<string, string>> = { i: 'int32_t', l: 'int64_t', u: 'uint64_t' }

/** Takes and returns integers and addresses. */
type Plain = (...args: number[]) => number

/** The functions by name. */
export type OpenSsl = Readonly<Record<keyof typeof FUNCTIONS, Plain>>

let made: OpenSsl | string | undefined

/** Returns the functions, or a text that says why there are none. */
export function openssl(): OpenSsl | string {
  made ??= make()
  return made
}

function make(): OpenSsl | string {
  const c = foreigner()
  if (typeof c === 'string') return c
  const functions: Record<string, unknown> = {}
  for (const [name, signature] of Object.entries(FUNCTIONS)) {
    const [result, ...args] = [...signature].map((letter) => TYPES[letter]!)
    // A node that was linked against another library of TLS, or a future one, may lack some.
    try {
      functions[name] = c.func(name, result!, args)
    } catch {
      return `this node has no ${name}()`
    }
  }
  // An object that is filled by name is a table to V8, and looked through at each use; what it is the prototype of is not.
  return Object.create(functions) as OpenSsl // One for each name.
}

/** Bytes whose addresses were asked for last. */
const kept: (Uint8Array | undefined)[] = new Array(64).fill(undefined)
let keptCount = 0

/**
 * The address of bytes, which do not move. They stay alive until as many others have been asked about as one call can
 * want; whoever needs them longer keeps them.
 */
export function addressOf(bytes: Uint8Array): number {
  const c = foreigner()
  // Without this the collector could take bytes that nobody mentions any more when the call begins.
  kept[keptCount++ % kept.length] = bytes
  return typeof c === 'string' ? 0 : Number(c.address(bytes))
}

/** The address of a function of C, for C; 0: there is none of the name. */
export function functionAt(name: string): number {
  const c = foreigner()
  if (typeof c === 'string') return 0
  const find = c.func('dlsym', 'int64_t', ['int64_t', 'int64_t'])
  // Wherever it is: in this program or in its libraries.
  return Number(find(0, addressOf(Buffer.from(`${name}\0`, 'latin1'))))
}

/** Makes what C may call: it takes `args` integers or addresses, and returns one of type `result`. */
export function calledBy(called: Plain, result: 'i' | 'l', args: string): number {
  const c = foreigner()
  const types = [...args].map((letter) => TYPES[letter]!)
  return typeof c === 'string' ? 0 : Number(c.callback(called, TYPES[result]!, types))
}
