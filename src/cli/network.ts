import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DIRECT_NETWORK, PacksignError, reasonOf } from '../index.js';
import type { NetworkOptions } from '../index.js';
import { folderIn } from './environment.js';
import { netrcAuthorization } from './netrc.js';
import { secondsOf, textOf } from './options.js';
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
      http: environment['http_proxy'] ?? '',
      https: environment['https_proxy'] ?? environment['HTTPS_PROXY'] ?? '',
      all: environment['all_proxy'] ?? environment['ALL_PROXY'] ?? '',
      none: environment['no_proxy'] ?? environment['NO_PROXY'] ?? '',
    },
    authorities: () => authoritiesIn(environment),
    authorizationFor: authorizationIn(values, environment),
    ...(seconds === null ? {} : { patienceMs: Math.ceil(seconds * 1000) }),
  };
}

type Environment = Outside['environment'];

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
    throw new PacksignError(
      'FILE_UNREADABLE',
      `cannot read the TLS authorities in ${file}: ${reasonOf(error)}`,
      {
        hint: 'SSL_CERT_FILE and NODE_EXTRA_CA_CERTS name files of certificates in PEM',
        cause: error,
      },
    );
  }
}

/** The database that the user named is the only place that gets PACKSIGN_AUTHORIZATION. */
const NAMED = ['url', 'address', 'target', 'from', 'previous'];

function authorizationIn(values: Values, environment: Environment): NetworkOptions['authorizationFor'] {
  const given = environment['PACKSIGN_AUTHORIZATION'] ?? '';
  const named = NAMED.map((name) => textOf(values, name)).find((text) => text !== null) ?? null;
  if (given === '' || named === null) return (at) => netrcAuthorization(at, netrcFile(environment));
  let origin = URL.canParse(named) ? new URL(named).origin : null;
  return (at) => {
    // Behind a name in the trust store: the first address that is asked is that of the database.
    origin ??= at.origin;
    return at.origin === origin ? given : netrcAuthorization(at, netrcFile(environment));
  };
}

function netrcFile(environment: Environment): string | null {
  const home = folderIn(environment, 'HOME');
  return environment['NETRC'] ?? (home === null ? null : join(home, '.netrc'));
}
