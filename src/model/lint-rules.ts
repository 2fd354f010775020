/** `error`: users are harmed or fail, or packsign refuses it; `warning`: a person should look; `note`: good to know. */
export type LintLevel = 'error' | 'warning' | 'note';

/** What a code means. */
export interface LintRule {
  readonly level: LintLevel;
  /** The sentence above the files that it is about. */
  readonly summary: string;
  /** What to do, if nothing more exact is known; null if the finding itself says that. */
  readonly hint: string | null;
}

const WITHOUT_THEM = 'make the archive again from inside one folder: tar -czf ARCHIVE FOLDER';
const EXTEND =
  'packsign key extend KEY DIRECTORY; for a subkey in GnuPG: gpg --quick-set-expire PRIMARY 2y SUBKEY, then packsign key publish DIRECTORY --key PRIMARY';
const RENAME = 'rename them before you pack them, if people unpack it on such systems';
const RENAME_PACKAGE = 'give it another "Name" under "Packages" in packsign.json';
const NOT_SERVED = 'if you do not serve PackMan, set "PackMan": false in packsign.json';

/** Of members of archives; `phrase` goes on after `2 members`. */
export const MEMBER_RULES = {
  MEMBER_ABSOLUTE: {
    level: 'error',
    phrase: 'with an absolute name',
    summary: 'an archive has absolute names: some programs write outside the folder that they unpack into',
    hint: WITHOUT_THEM,
  },
  MEMBER_TRAVERSES: {
    level: 'error',
    phrase: 'with ".." in the name',
    summary: 'an archive has names with "..", which lead out of the folder that it is unpacked into',
    hint: WITHOUT_THEM,
  },
  MEMBER_LINK: {
    level: 'error',
    phrase: 'leading out by a link, or written through one',
    summary: 'an archive has links that lead out of it, or members that are written through a link',
    hint: 'link to a relative path inside the archive, and pack the files themselves: tar --dereference',
  },
  MEMBER_SET_UID: {
    level: 'warning',
    phrase: 'with a set-uid or set-gid bit',
    summary: 'an archive has set-uid or set-gid programs, which run with the rights of their owner',
    hint: 'remove the bits before you pack them: chmod ug-s FILE',
  },
  MEMBER_SPECIAL: {
    level: 'warning',
    phrase: 'that only root can unpack',
    summary: 'an archive has devices or pipes, which only root can unpack',
    hint: 'leave them out',
  },
  MEMBER_AMBIGUOUS: {
    level: 'warning',
    phrase: 'found twice, or under two names',
    summary: 'an archive has a member twice, or with two names: programs disagree about what is in it',
    hint: 'make the archive again',
  },
  MEMBER_CONTROL: {
    level: 'warning',
    phrase: 'with control characters in the name',
    summary: 'an archive has names with control characters, which can fool a terminal',
    hint: 'rename them before you pack them',
  },
  MEMBER_DATED_AHEAD: {
    level: 'warning',
    phrase: 'from the future',
    summary:
      'an archive has members dated in the future, which makes build tools rebuild everything, or nothing',
    hint: 'touch them and pack them again, on a machine with the right time',
  },
  MEMBER_TWIN: {
    level: 'note',
    phrase: 'with the same name except for case or composition',
    summary:
      'an archive has names that differ only in case or in how Unicode composes them: macOS and Windows unpack one of them',
    hint: RENAME,
  },
  MEMBER_NOT_PORTABLE: {
    level: 'note',
    phrase: 'with a name that not every system allows',
    summary: 'an archive has names that Windows does not allow, or that commands take for options',
    hint: RENAME,
  },
} as const satisfies Readonly<Record<string, LintRule & { readonly phrase: string }>>;

export type MemberCode = keyof typeof MEMBER_RULES;

/** Of what PackMan's clients cannot do. They are warnings where the settings say that PackMan is served. */
const PACKMAN_RULES = {
  PACKMAN_HYPHEN: {
    level: 'note',
    summary: 'PackMan splits name, version and flavor at hyphens, so it does not find the package',
    hint: `${RENAME_PACKAGE}; ${NOT_SERVED}`,
  },
  PACKMAN_EXTENSION: {
    level: 'note',
    summary: 'PackMan cannot unpack files with this ending',
    hint: `offer a .tar.gz as well; ${NOT_SERVED}`,
  },
  PACKMAN_FOLDER: {
    level: 'note',
    summary: 'PackMan looks for setup.py in a folder with the name of the file, and does not find it',
    hint: `pack that folder with its setup.py; ${NOT_SERVED}`,
  },
  PACKMAN_VERSIONS: {
    level: 'note',
    summary: 'PackMan installs the oldest of several versions of a package, unless the user types one',
    hint: `leave old versions out of the directory; ${NOT_SERVED}`,
  },
  PACKMAN_COMMAND: {
    level: 'note',
    summary: 'PackMan fails on an "Install-command" of this flavor',
    hint: 'take it out of packsign.json, or give the package the "Flavor" "installer"',
  },
  PACKMAN_PREREQUISITE: {
    level: 'note',
    summary: 'PackMan does not install a package whose prerequisites are not in the database',
    hint: 'name a package of this database under "Prerequisites" in packsign.json',
  },
  PACKMAN_RELATIVE: {
    level: 'note',
    summary: 'PackMan before 0.5 cannot fetch relative addresses',
    hint: 'set "Base-URL": "https://HOST/FOLDER/" in packsign.json',
  },
} as const satisfies Readonly<Record<string, LintRule>>;

export type PackManCode = keyof typeof PACKMAN_RULES;

const OTHER_RULES = {
  BYTES_CHANGED: {
    level: 'error',
    summary: 'a published file has other bytes now',
    hint: 'give the new bytes a new version and name, or say why with --allow-changed and --reason',
  },
  DAMAGED: {
    level: 'error',
    summary: 'a file is damaged, so packsign does not sign it',
    hint: 'upload it again',
  },
  KEY_ALGORITHM: { level: 'warning', summary: 'a key that not every verifier can read', hint: null },
  KEY_EXPIRED: {
    level: 'error',
    summary: 'a key has expired',
    hint: EXTEND,
  },
  KEY_EXPIRES_FIRST: {
    level: 'warning',
    summary: 'a key expires before the database that it signs',
    hint: EXTEND,
  },
  KEY_EXPIRES_SOON: {
    level: 'warning',
    summary: 'a key expires soon',
    hint: EXTEND,
  },
  KEY_NOT_PUBLISHED: {
    level: 'error',
    summary: 'a key that users do not have',
    hint: 'packsign key publish DIRECTORY --key KEY',
  },
  KEY_NO_ADDRESS: { level: 'note', summary: 'a key that does not say how to reach its owner', hint: null },
  KEY_NO_SIGNER: {
    level: 'warning',
    summary: 'a key without a subkey that signs',
    hint: 'packsign key rotate KEY DIRECTORY',
  },
  KEY_REVOKED: { level: 'error', summary: 'a key is revoked', hint: 'sign with another key' },
  KEY_RSA_SHORT: {
    level: 'warning',
    summary: 'an RSA key that verifiers find too short',
    hint: 'make a new key: packsign key generate --user-id "NAME <ADDRESS>"',
  },
  KEY_SHA1: {
    level: 'error',
    summary: 'a key with SHA-1 signatures on itself, which verifiers ignore',
    hint: 'let the program that made it sign it again: gpg --quick-set-expire KEY 2y',
  },
  DATED_AHEAD: {
    level: 'warning',
    summary: 'a file is dated in the future',
    hint: 'touch it; if its date is right, set the clock of this machine',
  },
  DUPLICATE_PACKAGE: {
    level: 'warning',
    summary: 'two files are the same package',
    hint: 'give them different versions or flavors, or "Exclude" one in packsign.json',
  },
  MASS_REMOVAL: { level: 'error', summary: 'most of the listed files are not here', hint: null },
  NAME_MISMATCH: {
    level: 'warning',
    summary: 'the metadata and the name of a file disagree about which package it is',
    hint: 'rename the file, or give it "Name" and "Version" under "Packages" in packsign.json',
  },
  NEVER_EXPIRES: {
    level: 'warning',
    summary: 'the database never expires: a server can show people an old one for ever',
    hint: 'set "Validity": "180 days" in packsign.json',
  },
  NOT_ASCII: {
    level: 'note',
    summary: 'PackMan fails on text beyond ASCII, so packsign rewrites it',
    hint: NOT_SERVED,
  },
  NOT_LOOKED_INTO: {
    level: 'note',
    summary: 'packsign did not look at the members of a file',
    hint: null,
  },
  NOT_REGULAR: {
    level: 'warning',
    summary: 'a release file is a link, or not a file at all',
    hint: 'put the file itself there',
  },
  NO_DATABASE: {
    level: 'note',
    summary: 'the database does not say where it is published, so nobody can trust it by its address',
    hint: 'set "Database": "https://HOST/FOLDER/" in packsign.json',
  },
  NO_MAINTAINER: {
    level: 'note',
    summary: 'the database names no maintainer',
    hint: 'set "Maintainer": "NAME <ADDRESS>" in packsign.json, or name the key that is going to sign: --key FILE',
  },
  NO_METADATA: {
    level: 'warning',
    summary: 'a package does not say its name and version',
    hint: 'give it "Name" and "Version" under "Packages" in packsign.json',
  },
  PLAIN_HTTP: {
    level: 'note',
    summary: 'an address is plain http, over which browsers do not let the trust page verify',
    hint: 'use https',
  },
  PREVIOUS_UNKNOWN: {
    level: 'note',
    summary: 'nothing is published here, but "Database" in packsign.json names an address',
    hint: 'continue what is there with --previous, or start a new history with --first',
  },
  PUBLICATION_INCOMPLETE: {
    level: 'warning',
    summary: 'files of the publication are missing or out of date',
    hint: 'packsign build DIRECTORY --key KEY',
  },
  SECRET_IN_DIRECTORY: { level: 'error', summary: 'a secret is about to be published', hint: null },
  TOP_FOLDER: {
    level: 'warning',
    summary: 'an archive does not unpack into a folder with its own name and version',
    hint: 'pack it again from a folder with the name of the file',
  },
  UNCOVERED: { level: 'warning', summary: 'no signature covers a file', hint: null },
  UNREADABLE: {
    level: 'warning',
    summary: 'something cannot be read',
    hint: 'make it readable: chmod a+r FILE',
  },
  UNSAFE_NAME: {
    level: 'warning',
    summary: 'a release file has a name that a database cannot list',
    hint: 'rename it',
  },
  UNUSED_GLOB: {
    level: 'warning',
    summary: 'a pattern in packsign.json matches no file',
    hint: 'correct or remove it',
  },
  UNUSED_OVERRIDE: {
    level: 'warning',
    summary: 'packsign.json describes a file or package that is not there',
    hint: null,
  },
} as const satisfies Readonly<Record<string, LintRule>>;

/** Every code that a lint knows a sentence for, in the order in which they are shown. */
export const LINT_RULES: ReadonlyMap<string, LintRule> = new Map(
  Object.entries({ ...OTHER_RULES, ...MEMBER_RULES, ...PACKMAN_RULES }),
);

/** The rule of any code. Other commands have more; what they say is enough. */
export function ruleOf(code: string): LintRule {
  return (
    LINT_RULES.get(code) ?? {
      level: 'warning',
      summary: 'packsign build refuses this, or warns of it',
      hint: null,
    }
  );
}

/** One thing that a person would want to know before signing. */
export interface DirectoryFinding {
  /** Of a rule of docs/LINT.md, or of a warning or refusal of another command. */
  readonly code: string;
  readonly level: LintLevel;
  /** Relative to the directory; null if it is about the whole. */
  readonly path: string | null;
  /** For people; contains names from elsewhere unchanged. */
  readonly message: string;
  /** What to type or to change; null if the message says it. */
  readonly hint: string | null;
  /** Of an archive: the first hundred members that it is about. */
  readonly members: readonly string[];
}

/** A finding by the rule of its code, where nothing else is given. */
export function findingOf(
  given: Pick<DirectoryFinding, 'code' | 'path' | 'message'> & Partial<DirectoryFinding>,
): DirectoryFinding {
  const { code, path, message, members = [] } = given;
  const { level, hint } = { ...ruleOf(code), ...given };
  return { code, level, path, message, hint, members };
}
