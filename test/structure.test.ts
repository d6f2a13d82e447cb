import { spawnSync } from 'node:child_process';
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { parseAst } from 'rolldown/parseAst';
import { describe, expect, it } from 'vitest';
import { toItem } from '../src/revocations/entry.ts';
import { toSessionItem } from '../src/sessions/session.ts';
import { PURE } from '../vitest.config.ts';
import { OUTSIDE } from './support/outside.ts';

/**
 * The house rules of `src/`: who may import whom, who may touch what, and how large a room may
 * grow. They exist because the order of checks on the vend path is only as good as the walls
 * between the rooms that make them.
 */
const SRC = resolve(import.meta.dirname, '..', 'src');

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => ({
    name: name.split(sep).join('/'),
    text: readFileSync(join(SRC, name), 'utf8'),
  }));

function room(name: string): string {
  return name.includes('/') ? (name.split('/')[0] ?? '') : name;
}

function importsOf({ name, text }: (typeof files)[number]): readonly string[] {
  return [
    ...text.matchAll(
      /(?:^|\n)(?:import|export)\s[^;]*?from\s+'([^']+)'|import\(\s*'([^']+)'\s*\)|(?:^|\n)import\s+'([^']+)'/gu,
    ),
  ]
    .map(([, from, lazy, bare]) => from ?? lazy ?? bare ?? '')
    .map((target) =>
      target.startsWith('.')
        ? relative(SRC, resolve(SRC, dirname(name), target))
            .split(sep)
            .join('/')
        : target,
    );
}

function isOwn(target: string): boolean {
  return target.endsWith('.ts');
}

/**
 * What each room imports of the others, exactly: what a room does not use it may not keep, and a
 * file that needs another room adds it here, with a look at whether it should.
 */
const IMPORTS: Readonly<Record<string, readonly string[]>> = {
  lib: [],
  sigv4: ['lib'],
  policy: ['lib'],
  contract: ['lib'],
  telemetry: ['lib'],
  aws: ['lib', 'telemetry'],
  config: ['lib', 'aws'],
  audit: ['lib', 'telemetry'],
  identity: ['lib', 'sigv4', 'aws'],
  limits: ['lib', 'aws'],
  replay: ['lib', 'sigv4', 'aws'],
  sessions: ['lib', 'aws'],
  revocations: ['lib', 'aws', 'notify'],
  breakglass: ['lib', 'aws', 'notify'],
  notify: ['lib', 'aws', 'telemetry'],
  approvals: ['lib', 'aws', 'contract', 'notify'],
  catalog: ['lib', 'policy', 'aws', 'telemetry'],
  actions: [
    'lib',
    'sigv4',
    'policy',
    'aws',
    'identity',
    'limits',
    'replay',
    'sessions',
    'revocations',
    'approvals',
    'breakglass',
    'catalog',
    'audit',
    'telemetry',
    'contract',
  ],
  http: [
    'lib',
    'sigv4',
    'policy',
    'identity',
    'sessions',
    'revocations',
    'catalog',
    'audit',
    'actions',
    'telemetry',
    'contract',
  ],
  cli: ['lib', 'sigv4', 'policy', 'aws', 'contract'],
  local: ['lib', 'sigv4', 'aws'],
  assemble: [
    'lib',
    'sigv4',
    'aws',
    'identity',
    'limits',
    'replay',
    'sessions',
    'revocations',
    'approvals',
    'breakglass',
    'catalog',
    'audit',
    'actions',
    'http',
    'telemetry',
    'config',
    'notify',
  ],
  'main.ts': ['lib', 'config', 'assemble'],
};

/** Packages that only some rooms may know. */
const PACKAGES: readonly (readonly [pattern: RegExp, rooms: readonly string[]])[] = [
  [/^hono(?:\/|$)|^@hono\//u, ['http']],
  [/^@aws-sdk\/credential-provider-node$|^@smithy\/core\/config$/u, ['cli']],
  [
    /^@aws-sdk\/client-/u,
    [
      'aws',
      'catalog',
      'cli',
      'limits',
      'replay',
      'sessions',
      'revocations',
      'breakglass',
      'notify',
      'approvals',
      'actions',
      'local',
    ],
  ],
  [/^rate-limiter-flexible(?:\/|$)/u, ['limits']],
  [/^pino$|^prom-client$/u, ['telemetry']],
  [/^yaml$/u, ['policy']],
  [/^valibot$/u, ['policy', 'identity', 'contract', 'http', 'cli', 'local', 'config']],
  [/^dynalite$/u, ['local']],
];

/** Files that may be longer than 250 lines, each with its reason. */
const LONG_FILES: Readonly<Record<string, string>> = {};

function find(pattern: RegExp, allowed: (name: string) => boolean): readonly string[] {
  return files
    .filter(({ name, text }) => pattern.test(text) && !allowed(name))
    .map(({ name }) => name);
}

/** The files of `src/` that a file imports. */
function ownImports(file: (typeof files)[number]): readonly string[] {
  return importsOf(file).filter(isOwn);
}

/**
 * The groups of files that import one another in a circle:
 * https://en.wikipedia.org/wiki/Tarjan%27s_strongly_connected_components_algorithm
 */
function findCircles(
  graph: ReadonlyMap<string, readonly string[]>,
): readonly (readonly string[])[] {
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const path: string[] = [];
  const circles: string[][] = [];
  function visit(node: string): number {
    const number = order.size;
    order.set(node, number);
    lowest.set(node, number);
    path.push(node);
    for (const next of graph.get(node) ?? []) {
      const isNew = !order.has(next);
      // What is not on the path belongs to a group that was found before.
      if (!isNew && !path.includes(next)) continue;
      const reached = isNew ? visit(next) : (order.get(next) ?? number);
      lowest.set(node, Math.min(lowest.get(node) ?? number, reached));
    }
    const low = lowest.get(node) ?? number;
    if (low === number) {
      const group = path.splice(path.indexOf(node));
      if (group.length > 1 || (graph.get(node) ?? []).includes(node)) circles.push(group);
    }
    return low;
  }
  for (const node of graph.keys()) if (!order.has(node)) visit(node);
  return circles;
}

/** The lines of a function that a factory may declare: whoever reads it sees all of it at once. */
const LONGEST_FUNCTION = 40;

type Node = {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
};

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value;
}

function childrenOf(node: Node): readonly Node[] {
  return Object.values(node).flat().filter(isNode);
}

/** The functions with a name of their own in a node, those within other functions included. */
function functionsIn(node: Node): readonly Node[] {
  const within = childrenOf(node).flatMap(functionsIn);
  const isNamed = /^Function(?:Declaration|Expression)$/u.test(node.type) && isNode(node['id']);
  return isNamed ? [node, ...within] : within;
}

function linesOf(text: string, { start, end }: Node): number {
  const lines = text.slice(start, end).split('\n');
  return lines.filter((line) => !/^\s*(?:$|\/\/|\/?\*)/u.test(line)).length;
}

/** The functions of a file that are too long even without the functions that they declare. */
function longFunctionsOf({ name, text }: (typeof files)[number]): readonly string[] {
  const program: unknown = parseAst(text, { lang: 'ts' });
  if (!isNode(program)) return [name];
  return functionsIn(program).flatMap((node) => {
    const inner = childrenOf(node).flatMap(functionsIn);
    const outermost = inner.filter(
      (one) => !inner.some((other) => other.start < one.start && one.end < other.end),
    );
    const own = linesOf(text, node) - outermost.reduce((sum, one) => sum + linesOf(text, one), 0);
    const id: unknown = node['id'];
    return own > LONGEST_FUNCTION
      ? [`${name}: ${isNode(id) ? String(id['name']) : ''} has ${own} lines`]
      : [];
  });
}

/** The columns of a line. */
const WIDEST_LINE = 100;

/** Strings, templates and patterns: the formatter breaks a line beside one, never within it. */
function literalsIn(node: Node): readonly Node[] {
  return /^(?:Template)?Literal$/u.test(node.type) ? [node] : childrenOf(node).flatMap(literalsIn);
}

/** The lines of a file that are too wide although they could be broken. */
function wideLinesOf({ name, text }: (typeof files)[number]): readonly string[] {
  const program: unknown = parseAst(text, { lang: name.endsWith('.ts') ? 'ts' : 'js' });
  if (!isNode(program)) return [name];
  const literals = literalsIn(program);
  let end = -1;
  return text.split('\n').flatMap((line, index) => {
    const start = end + 1;
    end = start + line.length;
    // A URL is one word, and so is a literal: only what stands beside it counts.
    if (line.length <= WIDEST_LINE || /https?:\/\//u.test(line)) return [];
    const longest = literals.reduce(
      (most, one) => Math.max(most, Math.min(one.end, end) - Math.max(one.start, start)),
      0,
    );
    return line.length - longest > WIDEST_LINE ? [`${name}:${index + 1}`] : [];
  });
}

describe('the house', () => {
  it('has only rooms with rules, and rules only for rooms', () => {
    expect([...new Set(files.map(({ name }) => room(name)))].toSorted()).toEqual(
      Object.keys(IMPORTS).toSorted(),
    );
  });

  it.each(Object.entries(IMPORTS))(
    '%s imports exactly the rooms that its rule names',
    (name, rooms) => {
      const targets = files
        .filter((file) => room(file.name) === name)
        .flatMap(ownImports)
        .map(room);
      expect([...new Set(targets)].filter((target) => target !== name).toSorted()).toEqual(
        [...rooms].toSorted(),
      );
    },
  );

  it('has no files that import one another in a circle', () => {
    expect(findCircles(new Map(files.map((file) => [file.name, ownImports(file)])))).toEqual([]);
  });

  it('would find a circle if there were one', () => {
    const graph = new Map([
      ['a', ['b']],
      ['b', ['c', 'd']],
      ['c', ['a']],
      ['d', []],
    ]);
    expect(findCircles(graph).map((circle) => circle.toSorted())).toEqual([['a', 'b', 'c']]);
  });

  it.each(files.map((file) => [file.name, file] as const))(
    '%s imports only packages that its room may know',
    (_, file) => {
      const from = room(file.name);
      const packages = importsOf(file).filter(
        (target) => !isOwn(target) && !target.startsWith('node:'),
      );
      function known(target: string): boolean {
        return PACKAGES.some(([pattern, rooms]) => pattern.test(target) && rooms.includes(from));
      }
      expect(packages.filter((target) => !known(target))).toEqual([]);
      expect(
        packages.filter((target) => builtinModules.includes(target)),
        'builtins are written with node:',
      ).toEqual([]);
    },
  );

  it('lets only the configuration, and the entries of local, read the environment', () => {
    const readers = [
      'config/config.ts',
      'cli/main.ts',
      'local/environment.ts',
      'local/main.ts',
      'local/seed-main.ts',
    ];
    expect(find(/process\.env/u, (name) => readers.includes(name))).toEqual([]);
  });

  it('calls AssumeRole in one place', () => {
    expect(find(/AssumeRoleCommand\b/u, (name) => name === 'actions/vend/assume-role.ts')).toEqual(
      [],
    );
  });

  it('lets credentials and keys wait for their record in one place', () => {
    expect(find(/\.append\([^;]*,\s*true\)/u, (name) => name === 'audit/release.ts')).toEqual([]);
  });

  it('keeps clocks, randomness and processes out of the pure rooms', () => {
    function pure(name: string): boolean {
      return !['sigv4', 'policy', 'contract'].includes(room(name));
    }
    expect(
      find(
        /Date\.now|new Date\(\)|process\.|Math\.random|randomBytes|randomUUID|setTimeout|performance\./u,
        pure,
      ),
    ).toEqual([]);
  });

  it('constructs clients of the AWS SDK in aws/ only', () => {
    function allowed(name: string): boolean {
      return room(name) === 'aws' || room(name) === 'local';
    }
    expect(find(/new [A-Z][A-Za-z0-9]*Client\(/u, allowed)).toEqual([]);
  });

  it("keeps DynamoDB's commands, typed values, conditions and exceptions in aws/ only", () => {
    function allowed(name: string): boolean {
      return room(name) === 'aws' || room(name) === 'local';
    }
    const conventions =
      /\{ (?:S|N|BOOL|M): |\?\.(?:S|N|BOOL|M)\b|\bAttributeValue\b|[A-Z]\w*Expression:|ConditionalCheckFailed|(?:Item|Query|Scan)Command\b/u;
    // The signature of an entry of the log covers the types of its values as well.
    expect(find(conventions, allowed)).toEqual(['revocations/entry-signature.ts']);
  });

  it('has no file over 250 lines that is not excused, and no excuse without need', () => {
    const long = files.filter(({ text }) => text.split('\n').length > 251).map(({ name }) => name);
    expect(long.toSorted()).toEqual(Object.keys(LONG_FILES).toSorted());
  });

  it('has no function over 40 lines, not counting the functions that it declares', () => {
    expect(files.filter(({ name }) => !name.endsWith('.d.ts')).flatMap(longFunctionsOf)).toEqual(
      [],
    );
  });

  it('would find a long function within a factory', () => {
    const body = Array.from({ length: 41 }, (_, line) => `    use(${line});`).join('\n');
    const text = `export function createIt() {\n  function it() {\n${body}\n  }\n  return it;\n}\n`;
    expect(longFunctionsOf({ name: 'x.ts', text })).toEqual(['x.ts: it has 43 lines']);
  });

  it('has no line over 100 columns that could be broken', () => {
    const root = resolve(SRC, '..');
    const scripts = globSync('.scripts/*.{ts,mjs}', { cwd: root }).map((name) => ({
      name,
      text: readFileSync(join(root, name), 'utf8'),
    }));
    expect(scripts.length).toBeGreaterThan(3);
    expect([...files, ...scripts].flatMap(wideLinesOf)).toEqual([]);
  });

  it('would find a line that could be broken, but lets a URL and one long literal be', () => {
    const long = 'x'.repeat(WIDEST_LINE);
    const text = [
      `// ${'a word '.repeat(20)}`,
      `// https://example.com/${long}`,
      `const a = '${long}';`,
      `const b = \`${long}\${a}\`;`,
      `const c = /${long}/u;`,
      `const d = [${'0, '.repeat(WIDEST_LINE / 2)}'${long}'];`,
    ].join('\n');
    expect(wideLinesOf({ name: 'x.ts', text })).toEqual(['x.ts:1', 'x.ts:6']);
  });

  it('names files in kebab-case', () => {
    expect(
      files
        .map(({ name }) => name)
        .filter(
          (name) =>
            !/^(?:[a-z0-9]+(?:-[a-z0-9]+)*\/)*[a-z0-9]+(?:-[a-z0-9]+)*(?:\.d)?\.ts$/u.test(name),
        ),
    ).toEqual([]);
  });

  it('exports names, never a default', () => {
    expect(find(/\bexport default\b/u, (name) => name.endsWith('.d.ts'))).toEqual([]);
  });
});

describe('tests that need more than Node and npm', () => {
  const root = resolve(SRC, '..');
  const all = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.outside.ts'))
    .map((name) => `test/${name.split(sep).join('/')}`);

  function chosenBy(options: readonly string[]): readonly string[] {
    const vitest = join(root, 'node_modules/vitest/vitest.mjs');
    const args = [vitest, 'list', '--filesOnly', '--json', ...options];
    const { stdout } = spawnSync(process.execPath, args, {
      cwd: root,
      encoding: 'utf8',
      timeout: 60_000,
    });
    return (JSON.parse(stdout) as { file: string }[]).map(({ file }) =>
      relative(root, file).split(sep).join('/'),
    );
  }

  it('are each run by one of the two commands', () => {
    const [containers, running] = [chosenBy(OUTSIDE.containers), chosenBy(OUTSIDE.running)];
    expect([...containers, ...running].toSorted()).toEqual(all.toSorted());
    expect(running).toEqual(['test/conformance/running.outside.ts']);
    expect(containers.length).toBeGreaterThan(2);
  });
});

describe('the project of pure tests', () => {
  const root = resolve(SRC, '..');
  const pure = globSync([...PURE], { cwd: root }).map((name) => name.split(sep).join('/'));

  /** A test file and whatever of `test/` it imports. */
  function withSupport(name: string, seen: Set<string>): ReadonlySet<string> {
    if (seen.has(name)) return seen;
    seen.add(name);
    const folder = resolve(root, dirname(name));
    for (const [, target = ''] of readFileSync(resolve(root, name), 'utf8').matchAll(
      /from '(\.[^']+\.ts)'/gu,
    )) {
      const path = relative(root, resolve(folder, target)).split(sep).join('/');
      if (path.startsWith('test/')) withSupport(path, seen);
    }
    return seen;
  }

  it('has files of all its rooms', () => {
    expect(new Set(pure.map((name) => name.split('/')[1]))).toEqual(
      new Set(['policy', 'sigv4', 'lib', 'contract']),
    );
  });

  it.each(pure)(
    '%s shares a process with others, so it starts, fakes and changes nothing',
    (name) => {
      const harm =
        /\bvi\.(?!fn\b)|process\.(?:env|on|chdir|exit)|globalThis\.|setInterval|'node:(?:net|https?|child_process|worker_threads|cluster)'/u;
      const found = [...withSupport(name, new Set())].filter((one) =>
        harm.test(readFileSync(resolve(root, one), 'utf8')),
      );
      expect(found).toEqual([]);
    },
  );
});

describe('src/README.md', () => {
  const page = readFileSync(join(SRC, 'README.md'), 'utf8');
  const rows = page.split('\n').filter((line) => line.startsWith('| `'));
  function textOf(name: string): string {
    return files.find((file) => file.name === name)?.text ?? '';
  }

  it('has a row for every room, and names no file that is not there', () => {
    const rooms = new Set(files.map(({ name }) => room(name)));
    const named = [...page.matchAll(/`([a-z][a-z0-9/-]*(?:\/|\.ts))`/gu)].map(
      ([, name = '']) => name,
    );
    for (const one of rooms) expect(named).toContain(one.endsWith('.ts') ? one : `${one}/`);
    const folders = files.map(({ name }) => `${dirname(name)}/`);
    const known = new Set([...files.map(({ name }) => name), ...folders]);
    // The file beside a constant of the same room may go without it.
    function isKnown(name: string): boolean {
      return known.has(name) || [...known].some((one) => one.endsWith(`/${name}`));
    }
    function isOfProject(name: string): boolean {
      return existsSync(resolve(SRC, '..', name));
    }
    expect(named.filter((name) => !isKnown(name) && !isOfProject(name))).toEqual([]);
  });

  it('has every kind of item that the server keeps in its tables', () => {
    const kinds = files
      .filter(({ name }) => !['cli', 'local'].includes(room(name)))
      .flatMap(({ text }) =>
        [...text.matchAll(/['`]([a-z-]+#(?:[a-z][a-z-]*)?)/gu)].map(([, kind = '']) => kind),
      );
    const onPage = [...page.matchAll(/`([a-z-]+#(?:[a-z][a-z-]*)?)/gu)].map(
      ([, kind = '']) => kind,
    );
    expect(new Set(kinds).size).toBeGreaterThan(6);
    // A lease is named in two steps, the second of which is no item of its own.
    const items = kinds.filter((kind) => kind !== 'hard#');
    for (const kind of items)
      expect(
        onPage.some((one) => one.startsWith(kind)),
        kind,
      ).toBe(true);
    for (const one of onPage)
      expect(
        items.some((kind) => one.startsWith(kind)),
        one,
      ).toBe(true);
  });

  it('has every attribute of a session and of an entry of the log', () => {
    const session = {
      id: '0',
      startedAt: 0,
      endsAt: 0,
      lastAccessAt: 0,
      requestCount: 0,
      sourceIdentity: '',
      subject: '',
      principal: '',
      user: '',
      account: '',
      profile: '',
      label: '',
      grant: '',
    };
    const target = { kind: 'session', value: '', subject: '', user: '', profile: '' } as const;
    const revocation = {
      what: 'revoke',
      n: 1,
      target,
      reason: '',
      by: '',
      byPrincipal: '',
      createdAt: 0,
    } as const;
    const items = [
      toSessionItem(session, '', ''),
      toItem({ ...revocation, until: 0, own: true }, 1),
      toItem({ what: 'lift', n: 2, lifts: 1, signature: '' }, undefined),
    ];
    const tables = page.slice(page.indexOf('## Items of the tables'), page.indexOf('## Limits'));
    for (const name of items.flatMap((item) => Object.keys(item)))
      expect(tables).toContain(`\`${name}\``);
  });

  it('names only what the sources have, where it tells how to add things', () => {
    const how = page.slice(page.indexOf('## How to add'), page.indexOf('## Caches'));
    const all = files.map(({ text }) => text).join('\n');
    const names = [...how.matchAll(/`([A-Za-z_]+)`/gu)].map(([, name = '']) => name);
    expect(names.length).toBeGreaterThan(15);
    for (const name of names) expect(new RegExp(`\\b${name}\\b`, 'u').test(all), name).toBe(true);
  });

  it('has a row in its table of caches for every file that makes a bounded map or a counter of requests', () => {
    const makers = files.filter(
      ({ name, text }) =>
        /\b(?:createLru|new RateLimiterMemory)\b[<(]/u.test(text) && !name.startsWith('lib/'),
    );
    expect(makers.length).toBeGreaterThan(2);
    for (const { name } of makers)
      expect(
        rows.some((row) => row.startsWith(`| \`${name}\``)),
        name,
      ).toBe(true);
  });

  it.each(
    rows
      .filter((row) => /^\| `[^`]+` `[A-Z_]+`/u.test(row))
      .map((row) => [row.split('|').slice(1, 3).join('=').replaceAll(/\s+/gu, ' ').trim(), row]),
  )('says what the source says: %s', (_, row) => {
    const [, file = '', name = '', value = ''] =
      /^\| `([^`]+)` `([A-Z_]+)`\s*\| ([^|]+?)\s*\|/u.exec(row) ?? [];
    const source =
      new RegExp(`^(?:export )?const ${name} = ([^;]+);`, 'mu').exec(textOf(file))?.[1] ?? 'absent';
    expect(valueInSource(source)).toBe(valueOnPage(value));
  });
});

const UNITS: Readonly<Record<string, number>> = {
  SECOND: 1_000,
  MINUTE: 60_000,
  HOUR: 3_600_000,
  ms: 1,
  s: 1_000,
  min: 60_000,
  h: 3_600_000,
  KiB: 1_024,
  MiB: 1_048_576,
};

/** The value of a product such as `1.2 * SECOND` or `8 * 1024`. */
function valueInSource(expression: string): number {
  return expression
    .split(' * ')
    .map((factor) => UNITS[factor] ?? Number(factor.replaceAll('_', '')))
    .reduce((product, factor) => product * factor, 1);
}

/** The value of a number with its unit, such as `850 ms` or `20,000`. */
function valueOnPage(text: string): number {
  const [amount = '', unit] = text.split(' ');
  return (
    Number(amount.replaceAll(',', '')) * (unit === undefined ? 1 : (UNITS[unit] ?? Number.NaN))
  );
}
