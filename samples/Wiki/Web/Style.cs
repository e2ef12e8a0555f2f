namespace Wiki.Web;

internal static class Style
{
    private const string Css =
        """
        :root { --ink: #1d2433; --soft: #667085; --line: #e4e7ec; --paper: #fff; --ground: #f7f8fa; --accent: #2456c8; --warn: #b42318; }
        @media (prefers-color-scheme: dark) {
          :root { --ink: #e6e9ef; --soft: #98a2b3; --line: #2c3444; --paper: #171c26; --ground: #10141c; --accent: #84adff; --warn: #fda29b; }
        }
        * { box-sizing: border-box; }
        body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.6 system-ui, sans-serif; }
        a { color: var(--accent); text-decoration: none; }
        a:hover { text-decoration: underline; }
        a.missing { color: var(--warn); }
        header { display: flex; align-items: center; gap: 2rem; padding: .8rem max(1.2rem, calc(50% - 25rem)); background: var(--paper); border-bottom: 1px solid var(--line); }
        .brand { font-weight: 700; font-size: 1.15rem; color: var(--ink); }
        nav { display: flex; gap: 1.2rem; flex: 1; }
        .who { display: flex; align-items: center; gap: .8rem; margin: 0; color: var(--soft); }
        main { max-width: 50rem; margin: 2rem auto; padding: 2rem 2.4rem; background: var(--paper); border: 1px solid var(--line); border-radius: 10px; }
        h1 { margin: 0 0 1rem; font-size: 1.8rem; line-height: 1.25; }
        h2, h3 { margin: 1.6rem 0 .5rem; line-height: 1.3; }
        .bar { display: flex; align-items: baseline; gap: 1rem; }
        .bar h1 { flex: 1; overflow-wrap: anywhere; }
        .soft, td.soft { color: var(--soft); font-size: .9rem; }
        .note { padding: .7rem 1rem; border-left: 3px solid var(--warn); background: var(--ground); }
        pre, code { font: .9em/1.5 ui-monospace, monospace; background: var(--ground); border-radius: 4px; }
        code { padding: .1em .3em; }
        pre { padding: .8rem 1rem; overflow-x: auto; border: 1px solid var(--line); }
        table { width: 100%; border-collapse: collapse; }
        td, th { padding: .45rem .6rem .45rem 0; border-bottom: 1px solid var(--line); text-align: left; }
        th { color: var(--soft); font-weight: 500; font-size: .9rem; }
        td.number { text-align: right; font-variant-numeric: tabular-nums; }
        form.stack { display: grid; gap: .8rem; max-width: 24rem; }
        form.wide { max-width: none; }
        input, textarea { width: 100%; padding: .5rem .7rem; font: inherit; color: inherit; background: var(--ground); border: 1px solid var(--line); border-radius: 6px; }
        textarea { min-height: 22rem; font: .95rem/1.55 ui-monospace, monospace; resize: vertical; }
        button { padding: .45rem 1rem; font: inherit; font-weight: 500; color: #fff; background: #2456c8; border: 0; border-radius: 6px; cursor: pointer; justify-self: start; }
        button.quiet { padding: 0; color: var(--accent); background: none; font-weight: 400; }
        .inline { display: flex; gap: .6rem; margin-top: 1.5rem; }
        """;

    public static void MapStyle(this WebApplication app) =>
        app.MapGet("/style.css", (HttpContext context) =>
        {
            context.Response.Headers.CacheControl = "max-age=3600";
            return Results.Text(Css, "text/css; charset=utf-8");
        });
}
