// The contenders and their command lines. Each line does a whole job: it makes an index of all archives with
// the digests of its row, and signs it. `folder` is the contender's own, outside the corpus.
import { availableParallelism } from 'node:os';
import { SIZES } from './corpora.mjs';

const CORES = availableParallelism();

/** Signs FILE with GnuPG, Ed25519 over SHA-256, as packsign does. */
const gpgSign = (file, output = `${file}.asc`) =>
  `gpg --batch --yes --quiet --digest-algo SHA256 --armor --output ${output} --detach-sign ${file}`;

const OWN =
  'packages.plist packages.plist.asc packages.unsigned.plist keys.asc keys.gpg signatures .packsign';

/** packsign itself, from a compiled program. */
export function packsign(name, program) {
  const work = 'metadata of each archive read; signature checked with the published key; fsync';
  const line = ({ corpus }, words) =>
    `node '${program}' ${words.replace('DIR', `'${corpus}/sdist'`)} --quiet`;
  const build = 'build DIR --key ../key.asc --state state';
  const settings =
    (packMan, inspect) =>
    ({ corpus }) =>
      `printf '{"PackMan": %s, "Inspect": "%s", "Maintainer": "Bench <bench@example.org>"}' ${packMan} ${inspect} >'${corpus}/sdist/packsign.json'`;
  const clear =
    (packMan, inspect = 'ends') =>
    (at) =>
      `rm -rf state; (cd '${at.corpus}/sdist' && rm -rf ${OWN}); ${settings(packMan, inspect)(at)}`;
  return {
    name,
    peer: 'packsign',
    kind: 'sdist',
    needs: [],
    jobs: {
      sha256: { work, clear: clear('false'), run: (at) => line(at, build) },
      whole: {
        work: 'as above, and each archive unpacked to look for damage',
        clear: clear('false', 'whole'),
        run: (at) => line(at, build),
      },
      both: { work, clear: clear('true'), run: (at) => line(at, build) },
      added: { work, clear: clear('false'), setUp: (at) => line(at, build), run: (at) => line(at, build) },
      unchanged: {
        work: 'each archive looked at; published signature as it was when it was checked; nothing written',
        clear: clear('false'),
        setUp: (at) => line(at, build),
        run: (at) => line(at, build),
      },
      verify: {
        work: 'signature, then every archive, with the key noted at publication',
        clear: clear('false'),
        setUp: (at) => line(at, build),
        run: (at) => line(at, 'verify DIR'),
      },
      help: { work: 'prints the help', clear: () => 'true', run: () => `node '${program}' --help` },
    },
    watch: {
      work: 'SHA-256; metadata; signature checked; policy; fsync',
      clear: clear('false'),
      command: ({ corpus }) =>
        `exec node '${program}' watch '${corpus}/sdist' --key ../key.asc --state state --json`,
      ready: /"event":\s*"ready"/,
      index: ({ corpus }) => `${corpus}/sdist/packages.plist`,
      signature: 'by-digest',
    },
  };
}

const noFsync = 'no metadata; signature not checked; no fsync';
const list = (kind) => `find . -name '*.tar.gz' -print0 | sort -z | xargs -0 ${kind}`;
const inCorpus = (kind, line) => (at) => `(cd '${at.corpus}/${kind}' && ${line(at)})`;

/** Runs a digest tool over all files, and signs its list. */
function listing(peer, { name = peer, sha256, md5, needs, check }) {
  const make = (commands) => (at) =>
    `(cd '${at.corpus}/sdist' && { ${commands.map(list).join('; ')}; }) >list && ${gpgSign('list')}`;
  const clear = () => 'rm -f list list.asc';
  const job = (commands) => ({ work: noFsync, clear, run: make(commands) });
  const twice = peer === 'sha256sum' ? 'md5sum and sha256sum, gpg' : `${name} twice, gpg`;
  return {
    name: `${name}, gpg`,
    peer,
    kind: 'sdist',
    needs: [...needs, 'gpg'],
    jobs: {
      sha256: job([sha256]),
      both: { ...job([md5, sha256]), name: twice },
      ...(check === undefined
        ? {}
        : {
            added: { ...job([sha256]), work: `${noFsync}; all hashed again` },
            verify: {
              work: 'signature, then every archive',
              clear,
              setUp: make([sha256]),
              run: (at) =>
                `gpg --batch --quiet --verify list.asc list && ${inCorpus('sdist', () => `${check} '${at.folder}/list'`)(at)}`,
            },
          }),
    },
  };
}

/** The same with one process per core, each of which writes its own list. */
function parallel(peer, { sha256, md5, needs, check }) {
  const share = ({ size }) => Math.min(500, Math.ceil(SIZES[size].count / CORES));
  const make = (commands) => (at) =>
    `rm -f part.*; export folder='${at.folder}'; (cd '${at.corpus}/sdist' && find . -name '*.tar.gz' -print0 | sort -z | ` +
    `xargs -0 -P ${CORES} -n ${share(at)} bash -c '{ ${commands.map((command) => `${command} "$@"`).join('; ')}; } >"$folder/part.$$"' bash) && ` +
    `cat part.* >list && ${gpgSign('list')}`;
  const clear = () => 'rm -f list list.asc part.*';
  const job = (commands) => ({ work: noFsync, clear, run: make(commands) });
  const twice = `${peer === 'sha256sum' ? 'md5sum and sha256sum' : 'openssl dgst twice'} on all cores, gpg`;
  return {
    name: `${peer === 'openssl' ? 'openssl dgst' : peer} on all cores, gpg`,
    peer,
    kind: 'sdist',
    needs: [...needs, 'gpg'],
    jobs: {
      sha256: job([sha256]),
      both: { ...job([md5, sha256]), name: twice },
      ...(check === undefined
        ? {}
        : {
            verify: {
              work: 'signature, then every archive',
              clear,
              setUp: make([sha256]),
              run: (at) =>
                `gpg --batch --quiet --verify list.asc list && (cd '${at.corpus}/sdist' && xargs -a '${at.folder}/list' -d '\\n' -P ${CORES} -n ${share(at)} bash -c 'printf "%s\\n" "$@" | ${check} -' bash)`,
            },
          }),
    },
  };
}

const apt = (digests) =>
  ['MD5', 'SHA1', 'SHA256', 'SHA512'].reduce(
    (line, digest) => `${line} -o APT::FTPArchive::${digest}=${digests.includes(digest.toLowerCase())}`,
    'apt-ftparchive -q',
  );
const aptWork = 'metadata of each archive read; signature not checked; no fsync';
const aptIndex =
  (digests, options = '') =>
  (at) =>
    `(cd '${at.corpus}/deb' && ${apt(digests)} ${options} packages .) >Packages && ${gpgSign('Packages')}`;
const aptClear = () => 'rm -f Packages Packages.asc apt.db';
const aptKept = (digests) => (at) => aptIndex(digests, `--db '${at.folder}/apt.db'`)(at);
const aptAdded = (digests) => ({
  work: `${aptWork}; --db`,
  clear: aptClear,
  setUp: aptKept(digests),
  run: aptKept(digests),
});
/** The digests that it makes by default. */
const APT_DIGESTS = ['md5', 'sha1', 'sha256', 'sha512'];

const createrepo =
  (options = '') =>
  (at) =>
    `createrepo_c --quiet --no-database --workers ${CORES} --checksum sha256 ${options} --outputdir . '${at.corpus}/rpm' && ` +
    gpgSign('repodata/repomd.xml');
const createrepoWork =
  'metadata of each archive read; three indexes compressed; signature not checked; no fsync';
const createrepoClear = () => 'rm -rf repodata .repodata';

const repreproSetUp = ({ corpus }) =>
  `mkdir -p conf && printf 'Codename: bench\\nArchitectures: amd64\\nComponents: main\\nSignWith: yes\\n' >conf/distributions && ` +
  `find '${corpus}/deb' -name '*.deb' -print0 | xargs -0 -n 5000 reprepro --silent --basedir . -S misc -P optional includedeb bench`;
const repreproWork = 'MD5, SHA-1, SHA-256 and SHA-512; archives copied; database kept; signature not checked';

/** Watches files with inotifywait; each event makes the index again, signs it and puts both in place. */
const loop = (folder, pattern, index) =>
  `exec inotifywait --quiet --monitor --event moved_to --event close_write --format %f '${folder}' | while read -r name; do ` +
  `case $name in *${pattern}) ${index} && ${gpgSign('next', 'next.asc')} && mv next.asc index.asc && mv next index;; esac; done`;

const peers = [
  listing('sha256sum', {
    sha256: 'sha256sum',
    md5: 'md5sum',
    needs: ['sha256sum'],
    check: 'sha256sum --check --quiet',
  }),
  parallel('sha256sum', {
    sha256: 'sha256sum',
    md5: 'md5sum',
    needs: ['sha256sum'],
    check: 'sha256sum --check --quiet',
  }),
  listing('openssl', {
    name: 'openssl dgst',
    sha256: 'openssl dgst -sha256 -r',
    md5: 'openssl dgst -md5 -r',
    needs: ['openssl'],
  }),
  parallel('openssl', { sha256: 'openssl dgst -sha256 -r', md5: 'openssl dgst -md5 -r', needs: ['openssl'] }),
  {
    name: 'sha256sum, minisign',
    peer: 'minisign',
    kind: 'sdist',
    needs: ['minisign', 'sha256sum'],
    jobs: {
      sha256: {
        work: noFsync,
        clear: () =>
          'rm -f list list.minisig; test -e minisign.key || minisign -G -W -p minisign.pub -s minisign.key',
        run: (at) =>
          `(cd '${at.corpus}/sdist' && ${list('sha256sum')}) >list && minisign -S -s minisign.key -m list -x list.minisig`,
      },
    },
  },
  {
    name: 'apt-ftparchive, gpg',
    peer: 'apt-ftparchive',
    kind: 'deb',
    needs: ['apt-ftparchive', 'gpg'],
    jobs: {
      sha256: { work: aptWork, clear: aptClear, run: aptIndex(['sha256']) },
      both: { work: aptWork, clear: aptClear, run: aptIndex(['md5', 'sha256']) },
      added: aptAdded(['sha256']),
      unchanged: { ...aptAdded(['sha256']), work: `${aptWork}; --db; index written and signed again` },
      help: { work: 'prints the help', clear: () => 'true', run: () => 'apt-ftparchive --help' },
    },
    watch: {
      name: 'inotifywait, apt-ftparchive --db, gpg',
      work: 'SHA-256; metadata; --db; signature not checked; no fsync',
      needs: ['inotifywait'],
      clear: aptClear,
      setUp: aptKept(['sha256']),
      command: (at) =>
        loop(
          `${at.corpus}/deb`,
          '.deb',
          `(cd '${at.corpus}/deb' && ${apt(['sha256'])} --db '${at.folder}/apt.db' packages .) >next`,
        ),
      index: ({ folder }) => `${folder}/index`,
      signature: 'beside',
    },
  },
  {
    name: 'apt-ftparchive, all its digests, gpg',
    peer: 'apt-ftparchive',
    kind: 'deb',
    needs: ['apt-ftparchive', 'gpg'],
    jobs: {
      both: { work: `SHA-1 and SHA-512 too; ${aptWork}`, clear: aptClear, run: aptIndex(APT_DIGESTS) },
      added: { ...aptAdded(APT_DIGESTS), work: `MD5, SHA-1 and SHA-512 too; ${aptWork}; --db` },
    },
  },
  {
    name: 'inotifywait, sha256sum of all, gpg',
    peer: 'sha256sum',
    kind: 'sdist',
    needs: ['sha256sum', 'gpg'],
    jobs: {},
    watch: {
      work: 'SHA-256; no metadata; all hashed again; signature not checked; no fsync',
      needs: ['inotifywait'],
      clear: () => 'rm -f index index.asc next next.asc',
      command: (at) =>
        loop(`${at.corpus}/sdist`, '.tar.gz', `(cd '${at.corpus}/sdist' && ${list('sha256sum')}) >next`),
      index: ({ folder }) => `${folder}/index`,
      signature: 'beside',
    },
  },
  {
    name: `createrepo_c, ${CORES} workers, gpg`,
    peer: 'createrepo_c',
    kind: 'rpm',
    needs: ['createrepo_c', 'gpg'],
    jobs: {
      sha256: { work: createrepoWork, clear: createrepoClear, run: createrepo() },
      added: {
        work: `${createrepoWork}; --update`,
        clear: createrepoClear,
        setUp: createrepo(),
        run: createrepo('--update'),
      },
      unchanged: {
        work: `${createrepoWork}; --update; indexes written and signed again`,
        clear: createrepoClear,
        setUp: createrepo(),
        run: createrepo('--update'),
      },
      help: { work: 'prints the help', clear: () => 'true', run: () => 'createrepo_c --help' },
    },
  },
  {
    name: 'reprepro',
    peer: 'reprepro',
    kind: 'deb',
    needs: ['reprepro', 'gpg'],
    jobs: {
      added: {
        work: repreproWork,
        clear: () => 'rm -rf conf db dists pool',
        setUp: repreproSetUp,
        run: ({ corpus, added }) =>
          `reprepro --silent --basedir . -S misc -P optional includedeb bench '${corpus}/deb/${added.deb}'`,
      },
    },
  },
];

/** All contenders, packsign first; `against` is another compiled packsign, or null. */
export function contenders(program, against) {
  const other = against === null ? [] : [packsign('packsign, the other', against)];
  return [packsign('packsign', program), ...other, ...peers];
}
