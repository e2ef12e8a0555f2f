namespace Mirror.Node.Configuration;

// What of a site's tree is captured, from where, and what stops that.
internal sealed partial class ConfigRules
{
    private void CheckFiles(SiteConfig site)
    {
        if (site.Files.Root == "/")
        {
            faults.Add($"sites.{site.Name}.files.root", "The whole file system cannot be a site.", "Name the directory the site lives in.");
        }

        for (var i = 0; i < site.Files.Exclude.Count; i++)
        {
            CheckPattern(site, $"sites.{site.Name}.files.exclude[{i}]", site.Files.Exclude[i]);
        }

        CheckSnapshot(site);
        if (site.Files.Logs is { } logs)
        {
            CheckLogs(site, logs, $"sites.{site.Name}.files.logs");
        }
    }

    private void CheckSnapshot(SiteConfig site)
    {
        if (site.Files.ReadFrom is not { Length: > 0 } snapshot)
        {
            return;
        }

        var key = $"sites.{site.Name}.files.read-from";
        if (site.Files.Root.Length > 0 && Nested(snapshot, site.Files.Root))
        {
            faults.Add(key, $"{snapshot} and the site's root {site.Files.Root} contain each other.", "Let the hook show the snapshot beside the site, e.g. below /run.");
        }

        if (site.Hooks is not { Before.Count: > 0, After.Count: > 0 })
        {
            faults.Add(key, "Nobody makes a snapshot there, or nobody takes it away again.", "Add `hooks` with `before` (makes and mounts it) and `after` (unmounts and removes it).");
        }
    }

    private void CheckLogs(SiteConfig site, LogsConfig logs, string key)
    {
        for (var i = 0; i < logs.Patterns.Count; i++)
        {
            CheckPattern(site, $"{key}.patterns[{i}]", logs.Patterns[i]);
        }

        if (logs.Empty && site.Nodes.Distinct().Count() < 2)
        {
            faults.Warn($"{key}.empty", "The site has one node: what is taken out of a log would be nowhere else, so the logs are not emptied.", "Add a node, or leave `empty` out.");
        }
    }

    private void CheckGuards(SiteConfig site)
    {
        if (site.Files.Sweep > TimeSpan.Zero && site.Files.Sweep < TimeSpan.FromHours(1))
        {
            faults.Add($"sites.{site.Name}.files.sweep", $"{Durations.Format(site.Files.Sweep)} is too short: reading everything that often leaves nothing for the site.", "Write 1h or more, such as 7d; or 0s for no sweep.");
        }

        var key = $"sites.{site.Name}.files.marker";
        if (site.Files.Marker is not { Length: > 0 } marker)
        {
            return;
        }

        if (marker.StartsWith('/') || marker.EndsWith('/') || marker.Split('/').Any(part => part is "" or "." or ".."))
        {
            faults.Add(key, $"'{marker}' is not a path below the site's root.", "Write it relative to files.root, e.g. .mounted.");
        }
        else if (IsReserved(marker))
        {
            faults.Add(key, "`.mirror` at the top of a site belongs to Mirror.", "Choose another name, e.g. .mounted.");
        }
    }

    // What is in gitignore's syntax and yet cannot be meant.
    private void CheckPattern(SiteConfig site, string key, string pattern)
    {
        var body = pattern.TrimStart('!').TrimStart('/');
        if (pattern.Trim(' ').Length == 0 || pattern.StartsWith('#'))
        {
            faults.Add(key, $"'{pattern}' excludes nothing: as in gitignore, empty lines and those that begin with # are comments.", "Remove it; or write \\# before the rest of a name that begins so.");
        }
        else if (site.Files.Root.Length > 1 && pattern.StartsWith('/') && Inside(pattern, site.Files.Root))
        {
            faults.Add(key, $"'{pattern}' repeats the site's root: a pattern's first slash is the root.", $"Write '{pattern[site.Files.Root.Length..]}'.");
        }
        else if (pattern.Split('/').Any(part => part is "." or ".."))
        {
            faults.Add(key, $"'{pattern}' holds '.' or '..', and matches nothing.", "Patterns are relative to the root, e.g. cache/**; /cache is the one at the top only.");
        }
        else if (IsReserved(body))
        {
            faults.Add(key, "`.mirror` at the top of a site belongs to Mirror.", "Remove the pattern.");
        }
    }

    private static bool IsReserved(string path) => path == ".mirror" || path.StartsWith(".mirror/", StringComparison.Ordinal);
}
