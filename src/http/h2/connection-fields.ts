/** Fields that speak of a connection (RFC 9113, 8.2.2): they have no place in HTTP/2, whoever set them. */

/** Their names in lower case. */
export const CONNECTION_FIELDS: readonly string[] = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]
