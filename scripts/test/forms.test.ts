// Checks the forms for issues by GitHub's rules for forms, which GitHub applies only after a push.
import { globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

interface Element {
  readonly type: string;
  readonly id?: string;
  readonly attributes: {
    readonly label?: string;
    readonly value?: string;
    readonly options?: readonly (string | { readonly label: string; readonly required?: boolean })[];
  };
  readonly validations?: Readonly<Record<string, unknown>>;
}
interface Form {
  readonly name: string;
  readonly body: readonly Element[];
}

const FOLDER = '.github/ISSUE_TEMPLATE';
const TOP = ['name', 'description', 'body', 'title', 'labels', 'assignees', 'projects', 'type'];
/** The attributes of each type of element, the required one first. */
const ATTRIBUTES: Readonly<Record<string, readonly string[]>> = {
  markdown: ['value'],
  input: ['label', 'description', 'placeholder', 'value'],
  textarea: ['label', 'description', 'placeholder', 'value', 'render'],
  dropdown: ['label', 'description', 'multiple', 'options', 'default'],
  checkboxes: ['label', 'description', 'options'],
};
/** GitHub refuses labels of fields that ask for these. */
const ASKS_FOR_SECRETS = /password|passphrase|credential|secret|token|private key/i;

// GitHub reads YAML 1.1, in which yes and on are true.
const read = (file: string) => parse(readFileSync(file, 'utf8'), { version: '1.1' }) as unknown;
const files = globSync(`${FOLDER}/*.yml`).filter((file) => basename(file) !== 'config.yml');

it('has forms with different names, for faults, refusals and proposals', () => {
  expect(files.map((file) => basename(file)).toSorted()).toEqual([
    'fault.yml',
    'proposal.yml',
    'refusal.yml',
  ]);
  expect(new Set(files.map((file) => (read(file) as Form).name)).size).toBe(files.length);
});

describe.each(files)('%s', (file) => {
  const form = read(file) as Form;
  const fields = form.body.filter(({ type }) => type !== 'markdown');

  it('has the keys that GitHub requires, and no others', () => {
    for (const key of Object.keys(form)) expect(TOP).toContain(key);
    expect(form).toMatchObject({
      name: expect.stringMatching(/\S{3}|\S .*\S/),
      description: expect.stringMatching(/\S/),
    });
    expect(fields.length).toBeGreaterThan(0);
  });

  it.each(form.body.map((element, index) => [index, element] as const))(
    'has a valid body[%i]',
    (_, element) => {
      const allowed = ATTRIBUTES[element.type];
      if (allowed === undefined) throw new Error(`expected a type of an element, got ${element.type}`);
      const isMarkdown = element.type === 'markdown';
      const keys = isMarkdown ? ['type', 'attributes'] : ['type', 'id', 'attributes', 'validations'];
      for (const key of Object.keys(element)) expect(keys).toContain(key);
      for (const key of Object.keys(element.attributes)) expect(allowed).toContain(key);
      for (const [key, value] of Object.entries(element.attributes)) {
        if (key === 'options') expect(value).toBeInstanceOf(Array);
        else if (key !== 'multiple' && key !== 'default') expect(value).toEqual(expect.stringMatching(/\S/));
      }
      expect(Object.keys(element.attributes)).toContain(allowed[0]);
      if (!isMarkdown) expect(element.id).toMatch(/^[\w-]+$/);
      if (element.validations !== undefined)
        expect(element.validations).toEqual({ required: expect.any(Boolean) });
      if (['input', 'textarea'].includes(element.type))
        expect(element.attributes.label).not.toMatch(ASKS_FOR_SECRETS);
    },
  );

  it('has each id, label and option once', () => {
    const options = fields.map(({ attributes }) =>
      (attributes.options ?? []).map((one) => (typeof one === 'string' ? one : one.label)),
    );
    const lists = [
      fields.map(({ id }) => id),
      // Labels that differ only in signs are one name for GitHub.
      [...fields.map(({ attributes }) => attributes.label ?? ''), ...options.flat()].map((label) =>
        label.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-'),
      ),
    ];
    for (const list of lists) expect(new Set(list).size).toBe(list.length);
    for (const { type, attributes } of fields)
      if (type === 'checkboxes' || type === 'dropdown') expect(attributes.options).not.toHaveLength(0);
    for (const list of options) expect(list.map((one) => one.toLowerCase())).not.toContain('none');
  });

  it('says first that no token may be pasted', () => {
    expect(form.body[0]?.attributes.value).toMatch(/never paste a token|do not paste tokens/i);
  });
});

it('sends reports of security problems to the private form', () => {
  const config = read(`${FOLDER}/config.yml`) as {
    readonly blank_issues_enabled: boolean;
    readonly contact_links: readonly {
      readonly name: string;
      readonly url: string;
      readonly about: string;
    }[];
  };
  expect(Object.keys(config).toSorted()).toEqual(['blank_issues_enabled', 'contact_links']);
  expect(config.blank_issues_enabled).toBe(false);
  for (const link of config.contact_links) {
    expect(Object.keys(link).toSorted()).toEqual(['about', 'name', 'url']);
    expect(link.url).toMatch(/^https:\/\/github\.com\/latchkey\/latchkey\//);
  }
  const [security] = config.contact_links;
  expect(security?.url).toMatch(/\/security\/advisories\/new$/);
  expect(readFileSync('SECURITY.md', 'utf8')).toContain(`](${security?.url})`);
});

it.each(['fault', 'refusal'])('asks in %s for versions and for what explain prints', (name) => {
  const { body } = read(`${FOLDER}/${name}.yml`) as Form;
  const ids = body.map(({ id }) => id);
  for (const id of ['versions', 'explain']) expect(ids).toContain(id);
});
