import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DIRECT_NETWORK, PacksignError, reasonOf } from '../index.js';
import type { NetworkOptions } from '../index.js';
import { folderIn } from './environment.js';
import { netrcAuthorization } from './netrc.js';
import { listOf, secondsOf, textOf } from './options.js';
import type { Values } from './options.js';
import type { Outside } from './streams.js';

/** How the environment says that the network is reached. Files are read when the first request needs them. */
export function networkOf(values: Values, { environment }: Outside): NetworkOptions {
  const timeout = textOf(values, 'timeout');
  const seconds = timeout === null ? null : secondsOf(timeout, { name: 'timeout', example: '30s' });
  return {
    ...DIRECT_NETWORK,
    proxies: {
      // Not HTTP_PROXY: a web server sets it from what its visitors send.
      http: firstOf(environment, 'http_proxy'),
      https: firstOf(environment, 'https_proxy', 'HTTPS_PROXY'),
      all: firstOf(environment, 'all_proxy', 'ALL_PROXY'),
      none: firstOf(environment, 'no_proxy', 'NO_PROXY'),
    },
    authorities: () => authoritiesIn(environment),
    authorizationFor: authorizationIn(values, environment),
    ...(seconds === null ? {} : { patienceMs: Math.ceil(seconds * 1000) }),
  };
}

type Environment = Outside['environment'];

/** The first of these variables that says anything; an empty one is as good as none. */
function firstOf(environment: Environment, ...names: readonly string[]): string {
  return names.map((name) => environment[name] ?? '').find((value) => value !== '') ?? '';
}

/** `SSL_CERT_FILE` replaces the authorities of Node, as in OpenSSL; those of `NODE_EXTRA_CA_CERTS` come on top. */
function authoritiesIn(environment: Environment): readonly string[] | null {
  const own = environment['SSL_CERT_FILE'] ?? '';
  if (own === '') return null;
  const extra = environment['NODE_EXTRA_CA_CERTS'] ?? '';
  return [own, ...(extra === '' ? [] : [extra])].map(readAuthorities);
}

function readAuthorities(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const message = `cannot read the TLS authorities in ${file}: ${reasonOf(error)}`;
    const hint = 'SSL_CERT_FILE and NODE_EXTRA_CA_CERTS name files of certificates in PEM';
    throw new PacksignError('FILE_UNREADABLE', message, { hint, cause: error });
  }
}

const NAMED = ['url', 'address', 'target', 'from', 'previous', 'adopt'];

/**
 * The database that the user named, the only place that gets PACKSIGN_AUTHORIZATION. A file or a directory names none.
 */
function namedDatabase(values: Values): string | null {
  const [target, ...others] = listOf(values, 'targets');
  const isName = target !== undefined && others.length === 0 && !existsSync(target);
  return NAMED.map((name) => textOf(values, name)).find((text) => text !== null) ?? (isName ? target : null);
}

function authorizationIn(values: Values, environment: Environment): NetworkOptions['authorizationFor'] {
  const given = (environment['PACKSIGN_AUTHORIZATION'] ?? '').trim();
  const named = namedDatabase(values);
  if (given === '' || named === null) return (at) => netrcAuthorization(at, netrcFile(environment));
  let origin = URL.canParse(named) ? new URL(named).origin : null;
  return (at) => {
    // Behind a name in the trust store: the first address that is asked is that of the database.
    origin ??= at.origin;
    return at.origin === origin ? headerValue(given) : netrcAuthorization(at, netrcFile(environment));
  };
}

function headerValue(text: string): string {
  if (/^[\t\x20-\x7e\x80-\xff]*$/.test(text)) return text;
  throw new PacksignError('USAGE', 'PACKSIGN_AUTHORIZATION is not the value of a header', {
    hint: 'it is one line, such as Bearer TOKEN or Basic BASE64',
  });
}

function netrcFile(environment: Environment): string | null {
  const home = folderIn(environment, 'HOME');
  return environment['NETRC'] ?? (home === null ? null : join(home, '.netrc'));
}
