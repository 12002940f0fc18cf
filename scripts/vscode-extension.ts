/**
 * Packs the extension for VS Code: one file with the client library in it, the grammar, and what the editor wants to know.
 */
import fs from 'node:fs'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import { ToolFailure } from '../src/tools/frame/tool.ts'
import { command } from './command.ts'
import { zip } from './zip.ts'

const FOLDER = fileURLToPath(new URL('../editors/vscode/', import.meta.url))
const PACKED: readonly string[] = [
  'package.json',
  'README.md',
  'language-configuration.json',
  'syntaxes/nginx.tmLanguage.json',
]

const CONTENT_TYPES = `<?xml version="1.0" encoding="utf-8"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
  <Default Extension=".json" ContentType="application/json"/>
  <Default Extension=".cjs" ContentType="application/javascript"/>
  <Default Extension=".md" ContentType="text/markdown"/>
  <Default Extension=".txt" ContentType="text/plain"/>
  <Default Extension=".vsixmanifest" ContentType="text/xml"/>
</Types>
`

await command({
  called: 'node scripts/vscode-extension.ts',
  summary: 'packs the extension for VS Code',
  usage: ['[FILE.vsix]'],
  about: `Into that file, or editors/vscode/viaduct-nginx.vsix. Needs \`npm ci\` in editors/vscode before;
code --install-extension FILE.vsix installs it.`,
  options: {},
  examples: [['', 'editors/vscode/viaduct-nginx.vsix']],
  run: async (_, [target = `${FOLDER}viaduct-nginx.vsix`, more]) => {
    if (more !== undefined) throw new ToolFailure(`it takes one file, not also "${more}"`)
    await pack(target)
    return 0
  },
})

interface Manifest {
  readonly name: string
  readonly publisher: string
  readonly version: string
  readonly displayName: string
  readonly description: string
  readonly engines: { readonly vscode: string }
}

async function pack(target: string): Promise<void> {
  if (!fs.existsSync(`${FOLDER}node_modules/vscode-languageclient`)) {
    throw new ToolFailure('run `npm ci` in editors/vscode first')
  }
  const made = await rolldown({ input: `${FOLDER}src/extension.ts`, platform: 'node', external: ['vscode', /^node:/] })
  const { output } = await made.generate({ format: 'cjs', codeSplitting: false })
  await made.close()
  const manifest = JSON.parse(fs.readFileSync(`${FOLDER}package.json`, 'utf8')) as Manifest
  const license = fs.readFileSync(`${FOLDER}../../LICENSE`)
  const files: (readonly [string, Uint8Array])[] = [
    ['extension.vsixmanifest', Buffer.from(vsixManifest(manifest))],
    ['[Content_Types].xml', Buffer.from(CONTENT_TYPES)],
    ['extension/LICENSE.txt', license],
    ['extension/dist/extension.cjs', Buffer.from(output[0].code)],
    ...PACKED.map((name) => [`extension/${name}`, fs.readFileSync(FOLDER + name)] as const),
  ]
  fs.writeFileSync(target, zip(files))
  console.log(target)
}

function vsixManifest({ name, publisher, version, displayName, description, engines }: Manifest): string {
  return `<?xml version="1.0" encoding="utf-8"?>
<PackageManifest Version="2.0.0" xmlns="http://schemas.microsoft.com/developer/vsx-schema/2011">
  <Metadata>
    <Identity Language="en-US" Id="${name}" Version="${version}" Publisher="${publisher}"/>
    <DisplayName>${displayName}</DisplayName>
    <Description xml:space="preserve">${description}</Description>
    <Categories>Programming Languages,Linters,Formatters</Categories>
    <Properties>
      <Property Id="Microsoft.VisualStudio.Code.Engine" Value="${engines.vscode}"/>
      <Property Id="Microsoft.VisualStudio.Code.ExtensionKind" Value="workspace"/>
    </Properties>
    <License>extension/LICENSE.txt</License>
  </Metadata>
  <Installation>
    <InstallationTarget Id="Microsoft.VisualStudio.Code"/>
  </Installation>
  <Dependencies/>
  <Assets>
    <Asset Type="Microsoft.VisualStudio.Code.Manifest" Path="extension/package.json" Addressable="true"/>
    <Asset Type="Microsoft.VisualStudio.Services.Content.Details" Path="extension/README.md" Addressable="true"/>
    <Asset Type="Microsoft.VisualStudio.Services.Content.License" Path="extension/LICENSE.txt" Addressable="true"/>
  </Assets>
</PackageManifest>
`
}
