import { readFileSync } from 'node:fs';
import { PacksignError, reasonOf } from '../errors.js';
import { openNetwork } from '../net/transport.js';
import type { Network } from '../net/transport.js';
import type { Run } from '../run.js';
import type { StoreSettings } from './settings.js';

/** The network of a run, with the TLS authorities that the settings of a store name. */
export function networkTo({ authorities }: StoreSettings, run: Pick<Run, 'network'>): Network {
  return openNetwork({
    ...run.network,
    authorizationFor: () => null,
    ...(authorities === null ? {} : { authorities: authoritiesIn(authorities) }),
  });
}

function authoritiesIn(file: string): () => readonly string[] {
  return () => {
    try {
      return [readFileSync(file, 'utf8')];
    } catch (error) {
      throw new PacksignError(
        'FILE_UNREADABLE',
        `cannot read the TLS authorities in ${file}: ${reasonOf(error)}`,
        {
          hint: 'AWS_CA_BUNDLE, or ca_bundle in ~/.aws/config, names a file of certificates in PEM',
          cause: error,
        },
      );
    }
  };
}
