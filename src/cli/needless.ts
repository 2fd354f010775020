import { PacksignError } from '../index.js';
import type { Values } from './options.js';

/** What `publish` needs to sign what it joins with --adopt, and for nothing else. */
const SIGNING = [
  ...['key', 'certificate', 'passphrase-file', 'signer-timeout', 'trust-clock', 'deterministic'],
  ...['maintainer', 'description', 'base-url', 'notify', 'mirrors', 'validity', 'signers', 'threshold'],
  ...['pack-man', 'checksums', 'settle', 'absent', 'inspect'],
];

/** Refuses options of `publish` that do nothing beside the others: the user expects something of them. Throws USAGE. */
export function refuseNeedless(values: Values, { url }: { readonly url: string | null }): void {
  const isTyped = (name: string) => values[name] !== undefined && values[name] !== false;
  const rules: readonly (readonly [isNeedless: boolean, options: readonly string[], why: string])[] = [
    [
      isTyped('plan'),
      ['check', 'adopt', 'url', 'cache-wait', 'wait'],
      'with --plan, which only prints the steps',
    ],
    [isTyped('check'), ['adopt', 'delete', 'keep-old', 'wait'], 'with --check, which writes nothing'],
    [!isTyped('delete'), ['keep-old'], 'without --delete, which removes files'],
    [
      url === null,
      ['cache-wait'],
      'without an address to read back from: --url, or Database in packsign.json',
    ],
    [!isTyped('adopt'), SIGNING, 'without --adopt, since nothing else here signs'],
  ];
  for (const [isNeedless, options, why] of rules) {
    const option = isNeedless ? options.find(isTyped) : undefined;
    if (option === undefined) continue;
    throw new PacksignError('USAGE', `--${option} does nothing ${why}`, { hint: `leave out --${option}` });
  }
}
