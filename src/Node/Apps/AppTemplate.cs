using System.Text.RegularExpressions;

namespace Mirror.Node.Apps;

/// <summary>
/// What <c>{port}</c> and its like become in an app's command and environment. Only lower-case words in braces are placeholders; other braces, as in JSON, stay as they are.
/// </summary>
public sealed partial class AppTemplate(IReadOnlyDictionary<string, string> values, IReadOnlyDictionary<string, string> databases)
{
    /// <exception cref="AppTemplateException">A placeholder is unknown.</exception>
    public string Fill(string text) => Placeholder().Replace(text, match => Value(match, text));

    private string Value(Match match, string text)
    {
        var name = match.Groups["name"].Value;
        var argument = match.Groups["argument"];
        if (name == "database" && argument.Success)
        {
            return databases.TryGetValue(argument.Value, out var database)
                ? database
                : throw new AppTemplateException(
                    $"'{match.Value}' in '{text}': the site has no database '{argument.Value}'; it has {List(databases.Keys)}.");
        }

        return !argument.Success && values.TryGetValue(name, out var value)
            ? value
            : throw new AppTemplateException(
                $"'{match.Value}' in '{text}' is not a placeholder; there are {List(values.Keys.Select(key => $"{{{key}}}").Append("{database:NAME}"))}.");
    }

    private static string List(IEnumerable<string> names) => names.Any() ? string.Join(", ", names) : "none";

    [GeneratedRegex(@"\{(?<name>[a-z]+)(:(?<argument>[^{}]*))?\}")]
    private static partial Regex Placeholder();
}

/// <summary>The configuration of an app asks for something there is not.</summary>
public sealed class AppTemplateException(string message) : Exception(message);
