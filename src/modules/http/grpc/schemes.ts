/** What may stand before the address in `grpc_pass`. */

/** The scheme with which TLS is spoken to the back end. */
export const GRPCS = 'grpcs://'

/** Both. */
export const SCHEMES = { plain: 'grpc://', secure: GRPCS }
