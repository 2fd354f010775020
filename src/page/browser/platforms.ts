import { make, maybe } from './elements.js';

/** What the browser says about the machine that it runs on; null where it says nothing. */
interface Machine {
  readonly system: string | null;
  readonly architecture: string | null;
}

/** Words of browsers → the name in `process.platform`. Android comes before Linux, which it names as well. */
const SYSTEMS: readonly (readonly [pattern: RegExp, system: string])[] = [
  [/android/i, 'android'],
  [/iphone|ipad/i, 'ios'],
  [/mac/i, 'darwin'],
  [/win/i, 'win32'],
  [/linux|cros|chrom(?:e|ium) os/i, 'linux'],
  [/freebsd/i, 'freebsd'],
];

const ARCHITECTURES: readonly (readonly [pattern: RegExp, architecture: string])[] = [
  [/x86_64|amd64|win64|x64|x86 64/i, 'x64'],
  [/aarch64|arm64|armv8|arm 64/i, 'arm64'],
  [/armv\d|arm 32/i, 'arm'],
  [/i[3-6]86|x86 32/i, 'ia32'],
];

interface Details {
  readonly architecture?: string;
  readonly bitness?: string;
}

/** Some browsers tell more than the others, and only over https. */
interface Hints {
  readonly platform?: string;
  readonly getHighEntropyValues?: (names: readonly string[]) => Promise<Details>;
}

/** Puts the files for the reader's own machine first, and says so. */
export async function orderPlatforms(): Promise<void> {
  const list = maybe('list');
  const headings = Array.from(document.querySelectorAll('.platform h3'));
  if (list === null || headings.length === 0) return;
  const machine = await thisMachine();
  if (machine.system === null) return;
  const ranked = headings
    .map((heading) => ({ heading, rank: rankOf(heading.parentElement?.dataset ?? {}, machine) }))
    .sort((a, b) => a.rank - b.rank);
  for (const { heading, rank } of ranked) {
    if (heading.parentElement !== null) list.append(heading.parentElement);
    const link = document.querySelector(`.jump a[href="#${heading.id}"]`)?.parentElement;
    link?.parentElement?.append(link);
    if (rank > FITS) continue;
    const text = machine.architecture === null ? 'this system' : 'this machine';
    heading.append(' ', make('small', { text, className: 'here' }));
  }
}

/** Ranks: made for exactly this machine, for its system or its architecture, for any machine, for others. */
const [MADE, FITS, ANY, OTHER] = [0, 1, 2, 3] as const;

function rankOf({ systems = '', architectures = '' }: DOMStringMap, machine: Machine): number {
  if (systems === '' && architectures === '') return ANY;
  const isFor = (named: string, own: string | null) =>
    named === '' || own === null || named.split(' ').includes(own);
  if (!isFor(systems, machine.system) || !isFor(architectures, machine.architecture)) return OTHER;
  return systems !== '' && architectures !== '' ? MADE : FITS;
}

async function thisMachine(): Promise<Machine> {
  const { userAgent, platform, userAgentData } = navigator as Navigator & { readonly userAgentData?: Hints };
  const { architecture = '', bitness = '' } = await detailsOf(userAgentData);
  const find = (table: readonly (readonly [RegExp, string])[], texts: readonly string[]) =>
    texts.flatMap((text) => table.find(([pattern]) => pattern.test(text))?.[1] ?? []).at(0) ?? null;
  const system = find(SYSTEMS, [userAgentData?.platform ?? '', userAgent, platform]);
  // Every browser on a Mac says that it is an Intel one.
  const said = system === 'darwin' ? [] : [platform, userAgent];
  return { system, architecture: find(ARCHITECTURES, [`${architecture} ${bitness}`, ...said]) };
}

async function detailsOf(hints: Hints | undefined): Promise<Details> {
  try {
    return (await hints?.getHighEntropyValues?.(['architecture', 'bitness'])) ?? {};
  } catch {
    // The browser keeps it to itself.
    return {};
  }
}
