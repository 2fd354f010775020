/** No system has longer paths. */
const PATH_LIMIT = 4096;
/** How many links a system follows on one way; more are taken for a loop. */
const LINK_LIMIT = 40;
/** Nobody packs a longer way by accident. */
const STEP_LIMIT = 1024;

/** The symbolic links of an archive, by which its members may get out of the folder that it is unpacked into. */
export interface MemberLinks {
  readonly add: (name: string, target: string) => void;
  /** Whether a name leads through one of the links so far, which decides where its bytes are written. */
  readonly isThrough: (name: string) => boolean;
  /** Whether a path leads out, seen from a folder of the archive, if it follows the links so far. */
  readonly leaves: (path: string, folder: string) => boolean;
}

/** No archive that people publish has links with more segments. */
const NODE_LIMIT = 1_000_000;
const TOP = 0;
const ELSEWHERE = -1;

export function collectLinks(): MemberLinks {
  // A tree of the names of links: one path may have thousands of segments, and must not be joined for each of them.
  const nodes = new Map<string, number>();
  const targets = new Map<number, string>();
  const below = (node: number, part: string) => nodes.get(`${node}/${part}`) ?? ELSEWHERE;

  function grow(node: number, part: string): number {
    const known = below(node, part);
    if (known !== ELSEWHERE) return known;
    nodes.set(`${node}/${part}`, nodes.size + 1);
    return nodes.size;
  }

  return {
    add(name, target) {
      if (nodes.size > NODE_LIMIT) return;
      targets.set(partsOf(foldName(name)).reduce(grow, TOP), target);
    },
    isThrough(name) {
      let node = TOP;
      for (const part of targets.size === 0 ? [] : partsOf(foldName(name))) {
        if (targets.has(node)) return true;
        node = below(node, part);
        if (node === ELSEWHERE) return false;
      }
      return false;
    },
    leaves(path, folder) {
      const place = [TOP];
      const ahead = [...partsOf(foldName(folder)), ...partsOf(foldName(path))].reverse();
      const ownSteps = ahead.length;
      let isOut = isAbsolute(path) || nodes.size > NODE_LIMIT;
      let followed = 0;
      for (let steps = 0; ahead.length > 0 && !isOut && followed <= LINK_LIMIT; steps += 1) {
        const part = ahead.pop() ?? '';
        if (part === '..') place.pop();
        else place.push(below(place.at(-1) ?? TOP, part));
        const target = part === '..' ? undefined : targets.get(place.at(-1) ?? TOP);
        if (target !== undefined) {
          place.pop();
          ahead.push(...partsOf(foldName(target)).reverse());
          followed += 1;
        }
        isOut =
          place.length === 0 || steps > ownSteps + STEP_LIMIT || (target !== undefined && isAbsolute(target));
      }
      return isOut;
    },
  };
}

/** A path from a root, a drive of Windows or another machine. `A::B` is a name in Perl. */
export function isAbsolute(path: string): boolean {
  return /^(?:[\\/]|[a-z]:(?!:))/i.test(path);
}

/** The segments of a path; `\` separates them on Windows. */
export function partsOf(path: string): string[] {
  const parts = path.slice(0, PATH_LIMIT).split(/[\\/]/);
  return parts.filter((part) => part !== '' && part !== '.');
}

/** Some systems tell names neither by case nor by how Unicode composes them. */
export function foldName(name: string): string {
  return name.normalize('NFC').toLowerCase();
}
