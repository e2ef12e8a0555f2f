using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Mirror.Proxy.AccessLog;

/// <summary>What is written down of one request.</summary>
/// <param name="Bytes">Of the answer's body; null when it was sent in chunks and nobody counted.</param>
internal readonly record struct AccessLine(
    DateTimeOffset At, string Client, string Method, string Target, string Protocol, string Host, int Status, long? Bytes, string Referer, string Agent, double Milliseconds)
{
    /// <summary>As Apache and nginx have it. What a client sent can end neither a field nor the line.</summary>
    public void WriteCombined(StringBuilder text)
    {
        text.Append(Client.Length == 0 ? "-" : Client).Append(" - - [").Append(At.UtcDateTime.ToString("dd/MMM/yyyy:HH:mm:ss", CultureInfo.InvariantCulture)).Append(" +0000] \"");
        Escape(text, Method);
        text.Append(' ');
        Escape(text, Target);
        text.Append(' ').Append(Protocol).Append("\" ").Append(CultureInfo.InvariantCulture, $"{Status} ").Append(Bytes?.ToString(CultureInfo.InvariantCulture) ?? "-").Append(" \"");
        Escape(text, Referer.Length == 0 ? "-" : Referer);
        text.Append("\" \"");
        Escape(text, Agent.Length == 0 ? "-" : Agent);
        text.Append("\"\n");
    }

    public void WriteJson(StringBuilder text)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("time", At.UtcDateTime);
            json.WriteString("client", Client);
            json.WriteString("method", Method);
            json.WriteString("host", Host);
            json.WriteString("target", Target);
            json.WriteString("protocol", Protocol);
            json.WriteNumber("status", Status);
            if (Bytes is { } bytes)
            {
                json.WriteNumber("bytes", bytes);
            }

            json.WriteNumber("ms", Math.Round(Milliseconds, 3));
            json.WriteString("referer", Referer);
            json.WriteString("agent", Agent);
            json.WriteEndObject();
        }

        text.Append(Encoding.UTF8.GetString(buffer.WrittenSpan)).Append('\n');
    }

    private static void Escape(StringBuilder text, string value)
    {
        foreach (var character in value)
        {
            if (character is '"' or '\\' || char.IsControl(character))
            {
                text.Append(CultureInfo.InvariantCulture, $"\\x{(int)character:X2}");
            }
            else
            {
                text.Append(character);
            }
        }
    }
}
