// Replays a Dockerfile's steps in folders instead of images: COPY copies, RUN runs, each stage has its own root.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join, relative } from 'node:path';

interface Step {
  readonly instruction: string;
  readonly rest: string;
}

export interface Stage {
  readonly from: string;
  readonly name: string;
  /** Where `/` of this stage is. */
  readonly root: string;
  readonly workdir: string;
  readonly env: Readonly<Record<string, string>>;
  readonly user: string;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
}

const stepsOf = (text: string): Step[] =>
  text
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, instruction = '', rest = ''] = /^(\w+)\s+(.*)$/.exec(line) ?? [];
      return { instruction, rest };
    });

/** .dockerignore, read from its end: the last line that fits decides. */
const ignores = (root: string): ((path: string) => boolean) => {
  const rules = readFileSync(join(root, '.dockerignore'), 'utf8').split('\n').filter(Boolean);
  const fits = (rule: string, path: string): boolean =>
    new RegExp(
      `^${rule
        .replaceAll('.', '\\.')
        .replaceAll('**/', '(.+/)?')
        .replace(/(?<!\))\*/g, '[^/]*')}(/|$)`,
    ).test(path);
  return (path) => {
    const last = rules.findLast((rule) => fits(rule.replace(/^!/, ''), path));
    return last !== undefined && !last.startsWith('!');
  };
};

const run = (command: string, cwd: string, env: Readonly<Record<string, string>>): void => {
  const { status, stdout, stderr } = spawnSync('sh', ['-c', command], { cwd, env, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ended with ${status}:\n${stdout}\n${stderr}`);
};

/** Builds every stage below `target` and answers the last one. `env` is what every RUN finds besides ENV. */
export const replay = (context: string, target: string, env: Readonly<Record<string, string>>): Stage => {
  const ignored = ignores(context);
  const stages: Stage[] = [];
  const last = (): Stage => {
    const stage = stages.at(-1);
    if (stage === undefined) throw new Error('a Dockerfile begins with FROM');
    return stage;
  };
  const change = (over: Partial<Stage>): void => void stages.splice(-1, 1, { ...last(), ...over });

  const copy = (words: readonly string[]): void => {
    const from = words.find((word) => word.startsWith('--from='))?.slice('--from='.length);
    const paths = words.filter((word) => !word.startsWith('--'));
    const to = paths.at(-1) ?? '';
    for (const path of paths.slice(0, -1)) {
      const other = from === undefined ? undefined : stages.find((stage) => stage.name === from);
      if (from !== undefined && other === undefined) throw new Error(`no stage ${from}`);
      const source = join(other?.root ?? context, path);
      if (!existsSync(source) || (other === undefined && ignored(path))) throw new Error(`COPY ${path}: there is no such file`);
      // A folder's contents go into the target; a file goes into it, or becomes it.
      const into = join(last().workdir, to, statSync(source).isFile() && to.endsWith('/') ? basename(path) : '');
      cpSync(source, into, {
        recursive: true,
        verbatimSymlinks: true,
        filter: (file) => other !== undefined || !ignored(relative(context, file)),
      });
    }
  };

  for (const { instruction, rest } of stepsOf(readFileSync(join(context, 'Dockerfile'), 'utf8'))) {
    const words = rest.split(/\s+/);
    if (instruction === 'FROM') {
      const root = join(target, `stage-${stages.length}`);
      mkdirSync(root, { recursive: true });
      stages.push({ from: words[0] ?? '', name: words[2] ?? '', root, workdir: root, env: {}, user: '', entrypoint: [], command: [] });
    } else if (instruction === 'WORKDIR') {
      const workdir = join(last().root, rest);
      mkdirSync(workdir, { recursive: true });
      change({ workdir });
    } else if (instruction === 'COPY') copy(words);
    else if (instruction === 'RUN') run(rest, last().workdir, { ...env, ...last().env });
    else if (instruction === 'ENV') {
      const [, name = '', value = ''] = /^([^=]+)="?(.*?)"?$/.exec(rest) ?? [];
      change({ env: { ...last().env, [name]: value } });
    } else if (instruction === 'USER') change({ user: rest });
    else if (instruction === 'ENTRYPOINT') change({ entrypoint: JSON.parse(rest) as string[] });
    else if (instruction === 'CMD') change({ command: JSON.parse(rest) as string[] });
    else if (instruction !== 'EXPOSE') throw new Error(`${instruction} is not replayed`);
  }
  return last();
};
