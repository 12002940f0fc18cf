/** What stands in an `oidc_provider` block. */
import { confFile, flag, seconds, text, word, words } from '../../../config/args.ts'
import { type Args, directive } from '../../../config/directive.ts'
import { template } from '../../../value/template.ts'

const IN = ['oidc_provider'] as const

const url: Args<string> = word('URL', (w, at) =>
  /^https?:\/\/[^/\s?#]+/.test(w.text) && URL.canParse(w.text)
    ? w.text
    : at.fail(`invalid URL "${w.text}"`, w, 'it begins with https://'),
)

/** A path of this server, or all of a URL that leads to it. */
const place: Args<string> = word('uri', (w, at) =>
  /^(?:\/|https?:\/\/[^/]+\/)/.test(w.text)
    ? w.text
    : at.fail(`invalid URI "${w.text}" in "${at.directive.text}"`, w, 'it begins with / or https://'),
)

const cookieName: Args<string> = word('name', (w, at) =>
  /^[\w!#$%&'*+.^`|~-]+$/.test(w.text) ? w.text : at.fail(`invalid cookie name "${w.text}"`, w),
)

/** The directives of a provider. */
export const providerDirectives = {
  issuer: directive({ in: IN, args: url, doc: 'The name of the provider, a URL; with `http` only for tests.' }),
  client_id: directive({ in: IN, args: text('string'), doc: 'The name that the provider knows us by.' }),
  client_secret: directive({ in: IN, args: text('string'), doc: 'What proves that to the provider.' }),
  config_url: directive({
    in: IN,
    args: url,
    doc: 'Where the configuration of the provider is; else at `<issuer>/.well-known/openid-configuration`.',
  }),
  cookie_name: directive({
    in: IN,
    args: cookieName,
    default: 'NGX_OIDC_SESSION',
    doc: 'The name of the cookie that a session is known by.',
  }),
  extra_auth_args: directive({
    in: IN,
    args: template('string'),
    doc: 'Further arguments of the request for a login, as in a URL.',
  }),
  frontchannel_logout_uri: directive({
    in: IN,
    args: place,
    doc: 'Where the provider has browsers call when it ends their sessions.',
  }),
  pkce: directive({
    in: IN,
    args: flag,
    doc: 'Whether logins are protected by a proof of our own (PKCE, S256); else if the provider knows it.',
  }),
  redirect_uri: directive({
    in: IN,
    args: place,
    default: '/oidc_callback',
    doc: 'Where the provider sends browsers back to.',
  }),
  logout_uri: directive({ in: IN, args: place, doc: 'Where users log out, here and at the provider.' }),
  post_logout_uri: directive({ in: IN, args: place, doc: 'Where users find themselves after they have logged out.' }),
  logout_token_hint: directive({
    in: IN,
    args: flag,
    default: 'off',
    doc: 'Whether the provider gets the ID token when a user logs out.',
  }),
  scope: directive({
    in: IN,
    args: words('scope'),
    default: 'openid',
    doc: 'What is asked for; `openid` must be there.',
  }),
  session_store: directive({
    in: IN,
    args: text('name'),
    doc: 'The `keyval_zone` for sessions; else they have one of 8 MB.',
  }),
  session_timeout: directive({ in: IN, args: seconds, default: '8h', doc: 'How long a session lasts.' }),
  ssl_crl: directive({ in: IN, args: confFile(), doc: 'Certificates of providers that are revoked.' }),
  ssl_trusted_certificate: directive({
    in: IN,
    args: confFile(),
    doc: 'Who is trusted to certify providers; else whom the system trusts.',
  }),
  userinfo: directive({ in: IN, args: flag, default: 'off', doc: 'Whether data of users are asked for.' }),
}
