using System.Buffers;
using System.Collections;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Mirror.Cli.Output;

/// <summary>
/// What a command prints with <c>--json</c>: names and values in the order given. Values are text, numbers, truths, enums (in snake_case), other fields, dictionaries of numbers,
/// and sequences of those; what is null is left out. Written by hand and not by reflection, which a program compiled ahead of time does not have.
/// </summary>
internal sealed class Fields
{
    private static readonly JsonWriterOptions style = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly List<(string Name, object? Value)> _fields = [];

    public object? this[string name]
    {
        set => _fields.Add((name, value));
    }

    /// <summary>One line of JSON.</summary>
    /// <exception cref="NotSupportedException">A value is of a kind that is not among the above: a bug of the command.</exception>
    public override string ToString()
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, style))
        {
            Write(writer);
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    private void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        foreach (var (name, value) in _fields)
        {
            if (value is not null)
            {
                writer.WritePropertyName(name);
                Write(writer, value);
            }
        }

        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, object? value)
    {
        switch (value)
        {
            case null: writer.WriteNullValue(); break;
            case string text: writer.WriteStringValue(text); break;
            case bool truth: writer.WriteBooleanValue(truth); break;
            case Enum named: writer.WriteStringValue(JsonNamingPolicy.SnakeCaseLower.ConvertName(named.ToString())); break;
            case double number: writer.WriteNumberValue(number); break;
            case ulong number: writer.WriteNumberValue(number); break;
            case int or uint or long: writer.WriteNumberValue(Convert.ToInt64(value, CultureInfo.InvariantCulture)); break;
            case Fields inner: inner.Write(writer); break;
            case IEnumerable<KeyValuePair<string, int>> counts:
                writer.WriteStartObject();
                foreach (var (name, count) in counts)
                {
                    writer.WriteNumber(name, count);
                }

                writer.WriteEndObject();
                break;
            case IEnumerable values:
                writer.WriteStartArray();
                foreach (var item in values)
                {
                    Write(writer, item);
                }

                writer.WriteEndArray();
                break;
            default: throw new NotSupportedException($"A {value.GetType()} cannot be printed as JSON.");
        }
    }
}
