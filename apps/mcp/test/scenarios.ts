// Every scenario of @modelcontextprotocol/conformance: what the sample passes, and why the others
// do not apply to it. docs/mcp.md has the same as a table.

/** The scenarios that the sample passes. */
export const passed: readonly string[] = [
  'server-initialize',
  'ping',
  'tools-list',
  'resources-list',
  'server-sse-multiple-streams',
  'dns-rebinding-protection',
];

/** Scenarios for servers that do not apply to the sample, with the reason. */
export const lacking: readonly { readonly reason: string; readonly scenarios: readonly string[] }[] = [
  {
    reason: 'they call tools that only the test server of the suite has, such as `test_simple_text`',
    scenarios: [
      'tools-call-simple-text',
      'tools-call-image',
      'tools-call-audio',
      'tools-call-embedded-resource',
      'tools-call-mixed-content',
      'tools-call-with-logging',
      'tools-call-error',
      'tools-call-with-progress',
      'tools-call-sampling',
      'tools-call-elicitation',
      'json-schema-2020-12',
      'elicitation-sep1034-defaults',
      'elicitation-sep1330-enums',
      'server-sse-polling',
    ],
  },
  {
    reason: 'they read resources that only the test server of the suite has, such as `test://static-text`',
    scenarios: ['resources-read-text', 'resources-read-binary', 'resources-templates-read'],
  },
  {
    reason: 'the sample has no subscriptions',
    scenarios: ['resources-subscribe', 'resources-unsubscribe'],
  },
  {
    reason: 'the sample has no prompts',
    scenarios: [
      'prompts-list',
      'prompts-get-simple',
      'prompts-get-with-args',
      'prompts-get-embedded-resource',
      'prompts-get-with-image',
    ],
  },
  { reason: 'the sample sends no logs', scenarios: ['logging-set-level'] },
  { reason: 'the sample completes nothing', scenarios: ['completion-complete'] },
];

/** The scenarios for clients. They start a server of their own. */
export const forClients: readonly string[] = [
  'initialize',
  'tools_call',
  'elicitation-sep1034-client-defaults',
  'sse-retry',
  'auth/metadata-default',
  'auth/metadata-var1',
  'auth/metadata-var2',
  'auth/metadata-var3',
  'auth/basic-cimd',
  'auth/scope-from-www-authenticate',
  'auth/scope-from-scopes-supported',
  'auth/scope-omitted-when-undefined',
  'auth/scope-step-up',
  'auth/scope-retry-limit',
  'auth/token-endpoint-auth-basic',
  'auth/token-endpoint-auth-post',
  'auth/token-endpoint-auth-none',
  'auth/pre-registration',
  'auth/2025-03-26-oauth-metadata-backcompat',
  'auth/2025-03-26-oauth-endpoint-fallback',
  'auth/resource-mismatch',
  'auth/offline-access-scope',
  'auth/offline-access-not-supported',
  'auth/client-credentials-jwt',
  'auth/client-credentials-basic',
  'auth/cross-app-access-complete-flow',
];

/** The rows of the table in docs/mcp.md. */
export function tableRows(): readonly string[] {
  const names = (scenarios: readonly string[]) => scenarios.map((name) => `\`${name}\``).join(', ');
  return [
    `| ${names(passed)} | pass |`,
    ...lacking.map(({ reason, scenarios }) => `| ${names(scenarios)} | do not apply: ${reason} |`),
    `| ${names(forClients)} | do not apply: they test clients, against a server of the suite |`,
  ];
}
